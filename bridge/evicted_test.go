package bridge_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"sluice/bridge"
)

// TestSameClientIDTwice: a second gateway with our identifier takes the connection
// over whenever it connects, and loses it when we do. Both have enough to send, and
// still they meet about once a minute, not all the time.
func TestSameClientIDTwice(t *testing.T) {
	r := &remote{rtt: 20 * time.Millisecond}
	apart := false
	r.deny = func(int) bool { // called with the remote's mutex held
		if n := len(r.sessions); n > 0 && !apart {
			go r.sessions[n-1].end(io.EOF, false)
		}
		return false
	}
	bubble(t, r, func(g *rig) {
		var log bytes.Buffer
		g.stop()
		g.log = &log
		g.open()
		g.offer(1, 3)
		other := *g
		other.dir, other.log, other.cfg.ID, other.cancel = t.TempDir(), io.Discard, "other", nil
		other.open()
		defer other.stop()
		g.run()
		other.run()
		for i := 3; i < 1200; i++ {
			for _, b := range []*bridge.Bridge{g.bridge, other.bridge} {
				if _, err := b.Offer(numbered(i)); err != nil {
					t.Fatal(err)
				}
			}
			pass(time.Second)
		}
		if s := g.bridge.Stats(); s.Conn < 10 || s.Conn > 60 {
			t.Errorf("%d connections in 20 minutes", s.Conn)
		}
		if n := strings.Count(log.String(), "same client_id"); n != 1 {
			t.Errorf("said %d times:\n%s", n, &log)
		}

		// The other is given a name of its own.
		r.mu.Lock()
		apart = true
		r.mu.Unlock()
		pass(2 * time.Minute)
		if s := g.bridge.Stats(); s.Backlog() != 0 || !s.Connected {
			t.Errorf("%d wait, connected %v", s.Backlog(), s.Connected)
		}
	})
}
