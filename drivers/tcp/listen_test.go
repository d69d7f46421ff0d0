package tcp_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/drivers/tcp"
)

const patience = time.Minute // for what must come

// host is a running listener and its log.
type host struct {
	*tcp.Listener
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *host) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

func (h *host) logged() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

func serve(t *testing.T, address string, allow ...string) *host {
	t.Helper()
	cfg := tcp.ListenConfig{Bus: "remote", Address: address}
	for _, a := range allow {
		cfg.Allow = append(cfg.Allow, netip.MustParsePrefix(a))
	}
	h := &host{}
	h.Listener = tcp.NewListener(cfg, slog.New(slog.NewTextHandler(h, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	<-h.Ready()
	return h
}

func dial(t *testing.T, h *host) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", h.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// taken waits until a converter is in.
func taken(t *testing.T, h *host) net.Conn {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if c, err := h.Take(); err == nil {
			t.Cleanup(func() { c.Close() })
			return c
		}
	}
	t.Fatal("nobody came in:", h.logged())
	return nil
}

// closed reports whether the other side closes the connection.
func closed(c net.Conn) bool {
	c.SetReadDeadline(time.Now().Add(patience))
	_, err := c.Read(make([]byte, 1))
	return err == io.EOF || err != nil && strings.Contains(err.Error(), "reset")
}

func TestListener(t *testing.T) {
	h := serve(t, "127.0.0.1:0", "192.0.2.0/24", "127.0.0.0/8")
	if _, err := h.Take(); err == nil || !strings.Contains(err.Error(), "no converter has dialled in") {
		t.Errorf("before anybody: %v", err)
	}
	first := dial(t, h)
	line := taken(t, h)
	first.Write([]byte("hello"))
	if b := make([]byte, 5); true {
		if _, err := io.ReadFull(line, b); err != nil || string(b) != "hello" {
			t.Errorf("%q, %v", b, err)
		}
	}
	for range 3 {
		if !closed(dial(t, h)) {
			t.Error("a second converter was let in")
		}
	}
	if _, err := h.Take(); err == nil {
		t.Error("one connection was given twice")
	}
	line.Close()
	dial(t, h)
	taken(t, h)
	log := h.logged()
	if n := strings.Count(log, "refused"); n != 1 || !strings.Contains(log, "the line belongs to "+first.LocalAddr().String()) {
		t.Errorf("logged %d refusals:\n%s", n, log)
	}
}

func TestListenerKeepsStrangersOut(t *testing.T) {
	h := serve(t, "127.0.0.1:0", "192.0.2.40/32")
	if !closed(dial(t, h)) {
		t.Error("a stranger was let in")
	}
	if _, err := h.Take(); err == nil {
		t.Error("a stranger has the line")
	}
	if log := h.logged(); !strings.Contains(log, "peer=127.0.0.1") || !strings.Contains(log, "not in allow") {
		t.Error(log)
	}
}

// An address that is taken, or of an interface that is still down, is waited for.
func TestListenerWaitsForItsAddress(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, other.Addr().String(), "127.0.0.0/8")
	if h.Addr() != nil {
		t.Fatal("two listeners on one address")
	}
	other.Close()
	for end := time.Now().Add(patience); h.Addr() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never listened:", h.logged())
		}
	}
	dial(t, h)
	taken(t, h)
	if n := strings.Count(h.logged(), "cannot listen"); n != 1 {
		t.Errorf("logged %d failures", n)
	}
}
