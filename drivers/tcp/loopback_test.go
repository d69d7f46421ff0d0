package tcp_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/tcp"
)

// listen serves one connection on loopback.
func listen(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			serve(c)
		}
	}()
	return l.Addr().String()
}

func TestLoopback(t *testing.T) {
	address := listen(t, func(c net.Conn) {
		for {
			req := make([]byte, 12)
			if _, err := io.ReadFull(c, req); err != nil {
				return
			}
			c.Write(reply(req))
		}
	})
	conn, err := tcp.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	transport := tcp.New(conn)
	client := modbus.NewClient(transport)
	for address := range uint16(100) {
		data, err := client.Do(read(255, address, 125), modbus.Timing{Timeout: patience})
		if err != nil || !right(data, 255, address) {
			t.Fatalf("address %d: % x, %v", address, data, err)
		}
	}
	transport.Close()
	_, err = client.Do(read(255, 0, 1), timing)
	want(t, err, modbus.Medium)
}

// A device that closes its connection after every third request is read through
// a bus, which connects again by itself.
func TestBusConnectsAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for range 3 {
				req := make([]byte, 12)
				if _, err := io.ReadFull(c, req); err != nil {
					break
				}
				c.Write(reply(req))
			}
			c.Close()
		}
	}()
	b := bus.New(bus.Config{ID: "plc", Peer: l.Addr().String(), Open: func(ctx context.Context) (bus.Transport, error) {
		conn, err := tcp.Dial(ctx, l.Addr().String())
		if err != nil {
			return nil, err
		}
		return tcp.New(conn), nil
	}}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { b.Run(ctx) })
	defer running.Wait()
	defer cancel()
	good := 0
	for end := time.Now().Add(patience); good < 9 && time.Now().Before(end); {
		switch r, err := b.Do(ctx, bus.Poll, read(255, 1, 10), modbus.Timing{Timeout: patience}); {
		case err == nil && right(r.Data, 255, 1):
			good++
		case modbus.FaultOf(err) == modbus.Medium:
			time.Sleep(5 * time.Millisecond)
		default:
			t.Fatalf("% x, %v", r.Data, err)
		}
	}
	if s := b.Stats(); good != 9 || s.Opens < 3 {
		t.Errorf("%d good reads, %+v", good, s)
	}
}

func TestDialErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := tcp.Dial(t.Context(), l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tcp.Dial(ctx, l.Addr().String()); err == nil {
		t.Error("dialled after the end")
	}
}

// A port keeps time like a serial one, and tells a pause from the end.
func TestPort(t *testing.T) {
	more := make(chan []byte)
	address := listen(t, func(c net.Conn) {
		for b := range more {
			c.Write(b)
		}
	})
	conn, err := tcp.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	p := tcp.NewPort(conn)
	buf := make([]byte, 8)
	p.SetReadTimeout(0)
	if n, err := p.Read(buf); n != 0 || err != nil {
		t.Errorf("nothing sent: %d, %v", n, err)
	}
	more <- []byte{1, 2, 3}
	p.SetReadTimeout(patience)
	if n, err := p.Read(buf); n != 3 || err != nil {
		t.Errorf("three bytes sent: %d, %v", n, err)
	}
	close(more)
	if n, err := p.Read(buf); n != 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("closed there: %d, %v", n, err)
	}
	p.Close()
	if _, err := p.Write(buf); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("closed here: %v", err)
	}
}
