package link_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"sluice/test/link"
)

// While the link is down nobody gets through and nobody is refused; who goes on
// trying does when it is back.
func TestSYNsAreLostWhileTheLinkIsDown(t *testing.T) {
	l := link.New(link.Config{Rate: 1 << 20, RTT: 2 * time.Millisecond}, func(c net.Conn) {
		defer c.Close()
		io.Copy(c, c)
	})
	p, err := l.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, how := range []link.Outage{link.Reset, link.HalfOpen, link.Fade} {
		outage, end := context.WithCancel(t.Context())
		cut := make(chan error, 1)
		go func() { cut <- p.Cut(outage, how, time.Hour) }()
		for {
			c, err := net.DialTimeout("tcp", p.Addr(), 300*time.Millisecond)
			if err == nil { // it was not down yet
				c.Close()
				continue
			}
			if refused, ok := errors.AsType[net.Error](err); !ok || !refused.Timeout() {
				t.Fatalf("dial while the link is down: %v", err)
			}
			break
		}
		echoed := make(chan error, 1)
		go func() { echoed <- echo(p.Addr()) }()
		end()
		if err := errors.Join(<-cut, <-echoed); err != nil {
			t.Errorf("after outage %d: %v", how, err)
		}
	}
}

// echo gets a byte back over a new connection.
func echo(address string) error {
	c, err := net.DialTimeout("tcp", address, time.Minute)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 1))
	return err
}
