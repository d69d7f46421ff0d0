package broker_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	"sluice/broker/topic"
)

func TestLoopbackOnly(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:1883": true, "127.1.2.3:0": true, "[::1]:1883": true, "localhost:1883": true,
		":1883": false, "0.0.0.0:1883": false, "[::]:1883": false, "192.168.1.2:1883": false, "gateway.local:1883": false,
		"127.0.0.1": false, "": false,
	} {
		_, err := broker.New(broker.Config{Listen: []broker.Listener{broker.Local(address)}}, slog.New(slog.DiscardHandler))
		if (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil && !strings.Contains(err.Error(), "127.0.0.1:1883") {
			t.Errorf("%q: %v: does not say what to write", address, err)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	b, err := broker.New(broker.Config{Listen: []broker.Listener{broker.Local("127.0.0.1:0"), broker.Local(taken.Addr().String())}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	err = b.Run(t.Context())
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "another") {
		t.Errorf("Run returned %v", err)
	}
	if b.Addrs() != nil {
		t.Error("Addrs returned addresses that are not served")
	}
}

// TestStop: messages that are stored in time are acknowledged, be it at the last
// moment, the others are not; everybody hears why, and nothing is left behind.
func TestStop(t *testing.T) {
	before := runtime.NumGoroutine()
	var s store
	graceEnds := make(chan time.Time, 3)
	b, stop := startWithStop(t, broker.Config{}, s.tap, func(m topic.Message) (wait, error) {
		return func(ctx context.Context) error {
			<-ctx.Done()
			graceEnds <- time.Now()
			if string(m.Payload) == "stored in time" {
				return nil
			}
			return context.Cause(ctx)
		}, nil
	})
	lastWill := will(topic.Message{Topic: "state", Payload: []byte("gone")})
	c5, c4, stuck, silent := connect(t, b, version(5), lastWill), connect(t, b, lastWill), connect(t, b, version(5)), dial(t, b)
	c5.send(publish("a", "stored in time", 1, 1))
	c4.send(publish("a", "stored in time", 1, 2))
	stuck.send(publish("a", "not stored", 1, 3))
	for _, c := range []*client{c5, c4, stuck} {
		c.wantPong()
	}
	t0 := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if d := (<-graceEnds).Sub(t0); d < 400*time.Millisecond {
		t.Errorf("nothing was waited for after %v", d)
	}
	c5.wantAnswer(packets.Puback, 1, 0)
	c5.wantDisconnect(0x8b)
	c4.wantAnswer(packets.Puback, 2, 0)
	c4.wantClosed()
	stuck.wantDisconnect(0x8b)
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("a connection without CONNECT was served")
	}
	if slices.Contains(s.payloads(), "gone") {
		t.Error("a will was sent")
	}
	until(t, func() bool { return runtime.NumGoroutine() <= before })
}

func dial(t testing.TB, b *broker.Broker) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", b.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return nc
}
