package gateway_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/broker/topic"
	"sluice/gateway"
	"sluice/gateway/config"
)

// blackHole is an address on which nobody accepts and nobody refuses: a queue of
// connections that is full, for which the kernel drops what comes.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	for range 8 {
		conn, err := net.DialTimeout("tcp", address, time.Second) // nobody who is let in waits as long
		if err != nil {
			return address
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the queue of connections is never full")
	return ""
}

// oneRegister is a Modbus TCP device that answers every request with 4711.
func oneRegister(t *testing.T) string {
	t.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	go func() {
		conn, err := in.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var request [12]byte
		for {
			if _, err := io.ReadFull(conn, request[:]); err != nil {
				return
			}
			conn.Write(append(append(request[:4:4], 0, 5), request[6], request[7], 2, 4711>>8, 4711&0xFF))
		}
	}()
	return in.Addr().String()
}

// outage is a log in which a bus may be reported down.
type outage struct{ known atomic.Bool }

func (o *outage) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "port down") {
		o.known.Store(true)
	}
	return len(line), nil
}

// TestUnreachableHost has one bus whose host swallows every packet: the values of
// another are there before that is known, and the end does not wait for it.
func TestUnreachableHost(t *testing.T) {
	cfg, err := config.Parse("site.yaml", fmt.Appendf(nil, `
version: 1
site: plant
buses:
  - {id: gone, tcp: "%s", framing: tcp}
  - {id: there, tcp: "%s", framing: tcp}
devices:
  - {id: gone, bus: gone, unit: 1, points: [{id: value, register: holding 0x0000}]}
  - {id: there, bus: there, unit: 1, points: [{id: value, register: holding 0x0000}]}
broker: {listen: [{address: "127.0.0.1:0"}]}
`, blackHole(t), oneRegister(t)))
	if err != nil {
		t.Fatal(err)
	}
	var gone outage
	values := make(chan string, 16)
	tap := func(m topic.Message) (func(context.Context) error, error) {
		if strings.HasPrefix(m.Topic, "plant/there/value") {
			values <- fmt.Sprint(string(m.Payload), gone.known.Load())
		}
		return nil, nil
	}
	g, err := gateway.New(cfg, gateway.Options{StateDir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&gone, nil)), Tap: tap})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	if value := <-values; !strings.Contains(value, `"value":4711,`) || !strings.HasSuffix(value, "false") {
		t.Error(value)
	}
	cancel()
	if err := <-ended; err != nil || gone.known.Load() {
		t.Errorf("%v, the outage is known: %v", err, gone.known.Load())
	}
}
