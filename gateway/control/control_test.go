package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/gateway/control"
	"sluice/gateway/status"
)

// gateway answers as the test wants.
type gateway struct {
	asked   atomic.Value // what an exchange was asked for, as text
	err     error        // of everything
	tracing chan struct{}
	ended   chan struct{} // closed when a trace has
}

func (g *gateway) Status() status.Snapshot {
	return status.Snapshot{Site: "plant", At: time.UnixMilli(1e12).UTC(), Buses: []status.Bus{{ID: "line", Faults: map[string]uint64{"silent": 3}}}}
}

func (g *gateway) Events(after uint64) []status.Event {
	return []status.Event{{Seq: after + 1, Message: "port open"}}
}

func (g *gateway) Reread(context.Context) status.Reload {
	if g.err != nil {
		return status.Reload{Error: g.err.Error()}
	}
	return status.Reload{OK: true, Changes: []string{"device meter changed"}}
}

func (g *gateway) Exchange(_ context.Context, bus string, inTurn bool, req modbus.Request, t modbus.Timing) ([]byte, error) {
	g.asked.Store(fmt.Sprintf("%s %v %+v %+v", bus, inTurn, req, t))
	return []byte{1, 2}, g.err
}

func (g *gateway) Trace(ctx context.Context, bus string, w io.Writer) error {
	if g.err != nil {
		return g.err
	}
	defer close(g.ended)
	fmt.Fprintln(w, "sluice transcript")
	close(g.tracing)
	<-ctx.Done()
	return nil
}

func (g *gateway) Drop(bridge, lane string, before uint64) (uint64, error) {
	return before + uint64(len(bridge+lane)), g.err
}

func (g *gateway) Resend(_ context.Context, bridge string, number uint64) (int, error) {
	return int(number) + len(bridge), g.err
}

// serve serves g until the test ends.
func serve(t *testing.T, g *gateway) (client *control.Client, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), control.SocketName)
	s := control.NewServer(path, g, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	client = control.NewClient(path)
	t.Cleanup(func() {
		client.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return client, path
}

func TestWhatIsAskedArrives(t *testing.T) {
	g := &gateway{}
	c, path := serve(t, g)
	ctx := t.Context()
	if s, err := c.Status(ctx); err != nil || !reflect.DeepEqual(s, g.Status()) {
		t.Errorf("status %+v, %v", s, err)
	}
	if e, err := c.Events(ctx); err != nil || len(e) != 1 || e[0].Seq != 1 {
		t.Errorf("events %+v, %v", e, err)
	}
	if r, err := c.Reload(ctx); err != nil || !r.OK || r.Changes[0] != "device meter changed" {
		t.Errorf("reload %+v, %v", r, err)
	}
	req := modbus.Request{Unit: 7, Function: modbus.WriteMultipleRegisters, Address: 10, Count: 1, Data: []byte{0x12, 0x34}}
	timing := modbus.Timing{Timeout: time.Second, Gap: time.Millisecond, NoCanary: true}
	data, err := c.Exchange(ctx, "line/1", true, req, timing)
	if want := fmt.Sprintf("line/1 true %+v %+v", req, timing); err != nil || len(data) != 2 || g.asked.Load() != want {
		t.Errorf("%v, %v; asked for %v, want %s", data, err, g.asked.Load(), want)
	}
	if n, err := c.Drop(ctx, "cloud", "bulk", 7); err != nil || n != 7+9 {
		t.Errorf("dropped %d, %v", n, err)
	}
	if n, err := c.Resend(ctx, "cloud", 3); err != nil || n != 3+5 {
		t.Errorf("sent again %d, %v", n, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestErrorsArriveAsTheyWere(t *testing.T) {
	for _, want := range []error{
		&modbus.Error{Fault: modbus.Refused, Unit: 7, Exception: 2},
		&modbus.Error{Fault: modbus.Silent, Unit: 9, Err: errors.New("timeout")},
		&modbus.Error{Fault: modbus.Medium, Unit: 9, Err: errors.New("no such port")},
		fmt.Errorf("bus line: %w", control.ErrUnknown),
		errors.New("the queue is full"),
	} {
		g := &gateway{err: want}
		c, _ := serve(t, g)
		_, err := c.Exchange(t.Context(), "line", false, modbus.Request{Unit: 7}, modbus.Timing{Timeout: time.Second})
		if err == nil || err.Error() != want.Error() || modbus.FaultOf(err) != modbus.FaultOf(want) || errors.Is(err, control.ErrUnknown) != errors.Is(want, control.ErrUnknown) {
			t.Errorf("%v, want %v", err, want)
		}
		if modbus.FaultOf(want) != modbus.None {
			continue
		}
		if _, err := c.Drop(t.Context(), "cloud", "bulk", 0); err == nil || err.Error() != want.Error() {
			t.Errorf("drop: %v, want %v", err, want)
		}
		if err := c.Trace(t.Context(), "line", io.Discard); err == nil || err.Error() != want.Error() {
			t.Errorf("trace: %v, want %v", err, want)
		}
		if r, err := c.Reload(t.Context()); err != nil || r.OK || r.Error != want.Error() {
			t.Errorf("reload: %+v, %v", r, err)
		}
	}
}

// TestTraceEndsWithItsReader: nobody goes on tracing for one who has left.
func TestTraceEndsWithItsReader(t *testing.T) {
	g := &gateway{tracing: make(chan struct{}), ended: make(chan struct{})}
	c, _ := serve(t, g)
	ctx, cancel := context.WithCancel(t.Context())
	var out strings.Builder
	traced := make(chan error, 1)
	go func() { traced <- c.Trace(ctx, "line", &out) }()
	<-g.tracing
	cancel()
	<-g.ended
	if err := <-traced; err != nil || out.String() != "sluice transcript\n" && out.String() != "" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestNobodyThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), control.SocketName)
	if _, err := control.NewClient(path).Status(t.Context()); !errors.Is(err, control.ErrNobody) {
		t.Errorf("without a socket: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := control.NewClient(path).Status(t.Context()); !errors.Is(err, control.ErrNobody) {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestSocketOfAnother leaves the socket of a gateway that runs alone, and takes the
// place of one that is gone.
func TestSocketOfAnother(t *testing.T) {
	g := &gateway{}
	c, path := serve(t, g)
	second := control.NewServer(path, g, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- second.Run(ctx) }()
	<-second.Ready()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the first is not served any more: %v", err)
	}
}
