package broker_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
)

// TestLog: what clients do cannot fill the log, no secret reaches it, and mochi
// speaks at debug level only.
func TestLog(t *testing.T) {
	var out lockedBuffer
	b, err := broker.New(broker.Config{Listen: []broker.Listener{broker.Local("127.0.0.1:0")}, Protected: []string{"mine"}},
		slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = b.Run(ctx) })
	<-b.Ready()
	for range 3 {
		c := connect(t, b, session("forger", true))
		c.send(publish("mine", "secret", 1, 1))
		c.wantClosed()
		anonymous := connect(t, b)
		anonymous.send(publish("mine", "secret", 0, 0))
		anonymous.wantPong()
	}
	c := connect(t, b)
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, Connect: packets.ConnectParams{
		ProtocolName: []byte("MQTT"), UsernameFlag: true, Username: []byte("u"), PasswordFlag: true, Password: []byte("secret")}})
	c.wantClosed()
	cancel()
	running.Wait()
	if got := strings.Count(out.String(), "level=WARN"); got != 3 {
		t.Errorf("%d warnings, want one for the client, one for those without a name and one for the packet", got)
	}
	if strings.Contains(out.String(), "secret") {
		t.Error("a password or payload was logged")
	}
	if !strings.Contains(out.String(), `level=DEBUG msg="mochi: client disconnected"`) {
		t.Error("mochi's messages are lost")
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// lockedBuffer may be written while it is read: mochi's last words come after
// its end.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}
