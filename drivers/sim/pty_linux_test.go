package sim_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
)

// fast has characters of 0.1 ms.
var fast = modbus.Line{Baud: 115200, DataBits: 8, Parity: modbus.EvenParity, StopBits: 1}

// openPTY returns a pseudo-terminal that ends with the test.
func openPTY(t *testing.T) *sim.PTY {
	t.Helper()
	p, err := sim.OpenPTY()
	if err != nil {
		t.Fatalf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(p.Unplug)
	return p
}

// openHost opens the PTY as a program would that knows nothing of serial ports.
func openHost(t *testing.T, p *sim.PTY) *os.File {
	t.Helper()
	f, err := os.OpenFile(p.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestPTYRoundTrip(t *testing.T) {
	pty := openPTY(t)
	cfg := oneUnit()
	cfg.Line, cfg.Adapter = fast, sim.Adapter{}
	ended := make(chan time.Time, 1)
	cfg.OnReply = func(r sim.Reply) { ended <- r.At }
	bus := sim.New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := bus.Serve(ctx, pty); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	defer serving.Wait()
	defer cancel()

	f := openHost(t, pty)
	want := frame(t, answer)
	least := fast.Chars(8) + fast.Silence() + latency + fast.Chars(len(want))
	for range 5 {
		begin := time.Now()
		if _, err := f.Write(frame(t, ask)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(f, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("got %x, %v; want %x", got, err, want)
		}
		// How late it may be is the machine's affair; it is never early.
		took, end := time.Since(begin), (<-ended).Sub(begin)
		if end < least || took < end {
			t.Errorf("reply ended after %v and was read after %v, the wire needs %v", end, took, least)
		}
	}
	if s := bus.Stats(); s.Requests != 5 || s.Replies != 5 || s.Damaged != 0 {
		t.Errorf("%+v", s)
	}
}

func TestPTYServeEndsWhenCancelled(t *testing.T) {
	pty := openPTY(t)
	bus := sim.New(oneUnit())
	for range 3 { // each serves the same PTY anew
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- bus.Serve(ctx, pty) }()
		f := openHost(t, pty)
		if _, err := f.Write(frame(t, ask)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(f, make([]byte, 9)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
}

func TestPTYIsServedOnce(t *testing.T) {
	pty := openPTY(t)
	bus, other := sim.New(oneUnit()), sim.New(oneUnit())
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- bus.Serve(ctx, pty) }()
	f := openHost(t, pty)
	if _, err := f.Write(frame(t, ask)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(f, make([]byte, 9)); err != nil {
		t.Fatal(err)
	}
	if err := other.Serve(t.Context(), pty); err == nil || errors.Is(err, sim.ErrUnplugged) {
		t.Errorf("the second bus: %v", err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestPTYUnplug(t *testing.T) {
	pty := openPTY(t)
	bus := sim.New(oneUnit())
	served, read := make(chan error, 1), make(chan error, 1)
	go func() { served <- bus.Serve(t.Context(), pty) }()
	f := openHost(t, pty)
	if _, err := f.Write(frame(t, ask)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := io.Copy(io.Discard, f)
		read <- err
	}()
	pty.Unplug()
	pty.Unplug() // once more does no harm
	if err := <-served; !errors.Is(err, sim.ErrUnplugged) {
		t.Errorf("serve: %v", err)
	}
	<-read // end of file or an input/output error, by what the kernel was doing
	if _, err := f.Write([]byte{1}); err == nil {
		t.Error("the host can still write")
	}
	if _, err := os.Stat(pty.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat of %s: %v", pty.Path(), err)
	}
	if err := bus.Serve(t.Context(), pty); !errors.Is(err, sim.ErrUnplugged) {
		t.Errorf("serve again: %v", err)
	}
}

func TestPTYLeavesNoDescriptors(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	openPTY(t).Unplug() // whatever the runtime opens once
	before := count()
	for range 10 {
		openPTY(t).Unplug()
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
