package upstream

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// netlink builds one message.
func netlink(kind uint16, body []byte) []byte {
	b := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	binary.NativeEndian.PutUint32(b, uint32(cap(b)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	return append(b, body...)
}

func TestComesUp(t *testing.T) {
	link := func(flags uint32) []byte {
		b := make([]byte, unix.SizeofIfInfomsg)
		binary.NativeEndian.PutUint32(b[8:], flags)
		return netlink(unix.RTM_NEWLINK, b)
	}
	up, down := link(unix.IFF_UP|unix.IFF_RUNNING), link(unix.IFF_UP)
	for _, tt := range []struct {
		name string
		in   []byte
		want bool
	}{
		{"nothing", nil, false},
		{"a link without carrier", down, false},
		{"a link with carrier", up, true},
		{"an address", netlink(unix.RTM_NEWADDR, make([]byte, 8)), true},
		{"an address that goes", netlink(unix.RTM_DELADDR, make([]byte, 8)), false},
		{"a route", netlink(unix.RTM_NEWROUTE, nil), true},
		{"the second of two", append(append([]byte(nil), down...), up...), true},
		{"cut short", up[:len(up)-1], false},
		{"no length", make([]byte, 16), false},
	} {
		if got := comesUp(tt.in); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func FuzzComesUp(f *testing.F) {
	f.Add(netlink(unix.RTM_NEWLINK, make([]byte, unix.SizeofIfInfomsg)))
	f.Add(netlink(unix.RTM_DELADDR, []byte{1, 2, 3}))
	f.Fuzz(func(t *testing.T, b []byte) { comesUp(b) })
}

// The kernel reports an address that is added.
func TestWatchHears(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("adding an address needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Fatalf("adding an address needs ip, of iproute2: %v; make peers installs it", err)
	}
	w := NewWatch(slog.New(slog.DiscardHandler))
	up := w.Up()
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { done <- w.Run(ctx) }()
	<-w.Ready()
	address := fmt.Sprintf("127.83.%d.%d/32", os.Getpid()>>8&0xff, os.Getpid()&0xff) // of this run alone
	if out, err := exec.Command("ip", "address", "add", address, "dev", "lo").CombinedOutput(); err != nil {
		t.Fatalf("ip: %v: %s", err, out)
	}
	defer exec.Command("ip", "address", "del", address, "dev", "lo").Run()
	select {
	case <-up:
	case <-time.After(time.Minute):
		t.Error("heard nothing")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
