package bus_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/bus"
	"sluice/drivers/modbus"
)

var timing = modbus.Timing{Timeout: 300 * time.Millisecond}

// line is a Transport on which every exchange takes as long as wire and may fail
// as the test wants.
type line struct {
	wire   time.Duration
	fault  func(unit modbus.UnitID) error // nil: none
	until  map[modbus.UnitID]time.Time    // units in doubt
	served []modbus.UnitID                // in order
	closed int
}

func (l *line) NotBefore(u modbus.UnitID) time.Time { return l.until[u] }

func (l *line) Framing() modbus.Framing { return modbus.RTU }

func (l *line) Close() error {
	l.closed++
	return nil
}

func (l *line) Exchange(adu []byte, _ modbus.Timing) ([]byte, error) {
	time.Sleep(l.wire)
	unit := modbus.UnitID(adu[0])
	if l.fault != nil {
		if err := l.fault(unit); err != nil {
			return nil, err
		}
	}
	l.served = append(l.served, unit)
	return modbus.AppendCRC([]byte{adu[0], adu[1], 2, 0, adu[0]}), nil
}

// punctual is a line that knows how long units take to answer.
type punctual struct{ *line }

func (punctual) Latency() time.Duration { return 7 * time.Millisecond }

func newLine() *line {
	return &line{wire: 20 * time.Millisecond, until: map[modbus.UnitID]time.Time{}}
}

// bench is a running bus and its log.
type bench struct {
	*bus.Bus
	log  bytes.Buffer
	stop func()
}

// start runs a bus whose port is opened by open, and waits until it is ready.
func start(t *testing.T, open func(context.Context) (bus.Transport, error)) *bench {
	t.Helper()
	b := &bench{}
	log := slog.New(slog.NewTextHandler(&b.log, nil))
	serial := modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.EvenParity, StopBits: 1}
	b.Bus = bus.New(bus.Config{ID: "rs485-1", Line: serial, Open: open}, log)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	b.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	synctest.Wait()
	return b
}

func on(l *line) func(context.Context) (bus.Transport, error) {
	return func(context.Context) (bus.Transport, error) { return l, nil }
}

func request(unit modbus.UnitID) modbus.Request {
	return modbus.Request{Unit: unit, Function: modbus.ReadHoldingRegisters, Count: 1}
}

// ask starts a request and waits until it is in its place. The outcome is filled
// in when it is there.
func (b *bench) ask(wg *sync.WaitGroup, p bus.Priority, unit modbus.UnitID) *outcome {
	o := &outcome{}
	asked := time.Now()
	wg.Go(func() {
		o.Response, o.err = b.Do(context.Background(), p, request(unit), timing)
		o.took = time.Since(asked)
	})
	synctest.Wait()
	return o
}

type outcome struct {
	bus.Response
	err  error
	took time.Duration
}

func TestCommandOvertakesQueuedPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		b := start(t, on(l))
		defer b.stop()
		var wg sync.WaitGroup
		for unit := range modbus.UnitID(5) {
			b.ask(&wg, bus.Poll, 1+unit)
		}
		command := b.ask(&wg, bus.Command, 100)
		wg.Wait()
		if want := []modbus.UnitID{1, 100, 2, 3, 4, 5}; !slices.Equal(l.served, want) {
			t.Errorf("served %d, want %d", l.served, want)
		}
		if command.err != nil || command.took != 40*time.Millisecond || !bytes.Equal(command.Data, []byte{0, 100}) {
			t.Errorf("command: % x, %v after %v", command.Data, command.err, command.took)
		}
	})
}

func TestResponseTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, on(newLine()))
		defer b.stop()
		response, err := b.Do(t.Context(), bus.Poll, request(1), timing)
		if err != nil || !response.At.Equal(time.Now()) {
			t.Errorf("reply ended at %v, now is %v, %v", response.At, time.Now(), err)
		}
	})
}

func TestLatencyIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := punctual{newLine()}
		b := start(t, func(context.Context) (bus.Transport, error) { return l, nil })
		defer b.stop()
		if r, err := b.Do(t.Context(), bus.Poll, request(1), timing); err != nil || r.Latency != 7*time.Millisecond {
			t.Errorf("latency %v, %v", r.Latency, err)
		}
		l.fault = func(u modbus.UnitID) error { return &modbus.Error{Fault: modbus.Silent, Unit: u} }
		if r, err := b.Do(t.Context(), bus.Poll, request(1), timing); err == nil || r.Latency != 0 {
			t.Errorf("latency %v, %v", r.Latency, err)
		}
	})
}

// A unit in doubt holds nobody up: a command to it waits until the doubt is
// over, a poll learns when to come again.
func TestUnitInDoubtDoesNotStallOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		l.fault = func(unit modbus.UnitID) error {
			if unit != 1 || !l.until[1].IsZero() {
				return nil
			}
			l.until[1] = time.Now().Add(time.Second) // the canary was not answered
			return &modbus.Error{Fault: modbus.Silent, Unit: 1, Err: modbus.ErrInDoubt}
		}
		b := start(t, on(l))
		defer b.stop()
		var wg sync.WaitGroup
		command := b.ask(&wg, bus.Command, 1)
		poll := b.ask(&wg, bus.Poll, 1)
		other := b.ask(&wg, bus.Poll, 2)
		wg.Wait()
		if command.err != nil || command.took != 1040*time.Millisecond {
			t.Errorf("command to the unit in doubt: %v after %v, want success after 1.04s", command.err, command.took)
		}
		if other.err != nil || other.took != 40*time.Millisecond {
			t.Errorf("poll of the other unit: %v after %v, want success after 40ms", other.err, other.took)
		}
		early, ok := errors.AsType[*bus.InDoubt](poll.err)
		if !ok || !early.NotBefore().Equal(l.until[1]) || !errors.Is(poll.err, modbus.ErrInDoubt) || poll.took != 20*time.Millisecond {
			t.Errorf("poll of the unit in doubt: %v after %v, want it turned away after 20ms until %v", poll.err, poll.took, l.until[1])
		}
		if s := b.Stats(); s.Exchanges != 2 || s.Faults[modbus.None] != 2 || s.Busy != 60*time.Millisecond {
			t.Errorf("%+v", s)
		}
	})
}

// A poll that puts its own unit in doubt is turned away too.
func TestPollThatMeetsADoubtIsTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		l.fault = func(modbus.UnitID) error {
			l.until[1] = time.Now().Add(time.Second)
			return &modbus.Error{Fault: modbus.Silent, Unit: 1, Err: modbus.ErrInDoubt}
		}
		b := start(t, on(l))
		defer b.stop()
		_, err := b.Do(t.Context(), bus.Poll, request(1), timing)
		if early, ok := errors.AsType[*bus.InDoubt](err); !ok || !early.Until.Equal(l.until[1]) {
			t.Errorf("%v, want InDoubt", err)
		}
	})
}

func TestSilentUnitCostsItsOwnTimeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		l.fault = func(unit modbus.UnitID) error {
			if unit == 1 {
				return &modbus.Error{Fault: modbus.Silent, Unit: 1}
			}
			return nil
		}
		b := start(t, on(l))
		defer b.stop()
		var wg sync.WaitGroup
		dead, alive := b.ask(&wg, bus.Poll, 1), b.ask(&wg, bus.Poll, 2)
		wg.Wait()
		if modbus.FaultOf(dead.err) != modbus.Silent || alive.err != nil {
			t.Errorf("dead unit: %v, other: %v", dead.err, alive.err)
		}
		if s := b.Stats(); !s.Open || s.Opens != 1 || s.Faults[modbus.Silent] != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestReopensAfterMediumFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, gone := newLine(), errors.New("adapter is gone")
		attempts := 0
		b := start(t, func(context.Context) (bus.Transport, error) {
			switch attempts++; attempts {
			case 2:
				return nil, gone
			case 3:
				return nil, fs.ErrPermission
			default:
				return l, nil
			}
		})
		defer b.stop()
		l.fault = func(modbus.UnitID) error { return &modbus.Error{Fault: modbus.Medium, Unit: 1, Err: gone} }
		var wg sync.WaitGroup
		first, second := b.ask(&wg, bus.Poll, 1), b.ask(&wg, bus.Command, 2)
		wg.Wait()
		for _, o := range []*outcome{first, second} {
			if modbus.FaultOf(o.err) != modbus.Medium || !errors.Is(o.err, gone) || o.took != 20*time.Millisecond {
				t.Errorf("%v after %v, want a medium fault with the first exchange", o.err, o.took)
			}
		}
		if got, want := second.err.Error(), "unit 2: medium: adapter is gone"; got != want {
			t.Errorf("error %q, want %q", got, want)
		}
		if l.closed != 1 {
			t.Errorf("the port was closed %d times", l.closed)
		}
		lost := time.Now()
		l.fault = nil
		if o := b.ask(&wg, bus.Poll, 1); modbus.FaultOf(o.err) != modbus.Medium || o.took != 0 {
			t.Errorf("port down: %v after %v, want a medium fault at once", o.err, o.took)
		}
		if s := b.Stats(); s.Open || !errors.Is(s.LastError, gone) {
			t.Errorf("%+v", s)
		}
		select {
		case <-b.Back():
			t.Error("the port was told to be back before it was away")
		default:
		}
		<-b.Back()
		if took := time.Since(lost); took < 200*time.Millisecond || took > 401*time.Millisecond {
			t.Errorf("open again after %v, want waits of 100 ms and, without the port, of 100 and 200 ms, less up to a half", took)
		}
		if _, err := b.Do(t.Context(), bus.Poll, request(1), timing); err != nil {
			t.Error(err)
		}
		b.stop()
		for _, line := range []string{
			`msg="port open" bus=rs485-1 line="9600 8E1"`,
			`msg="port down" bus=rs485-1 err="adapter is gone"`,
			`msg="port still down" bus=rs485-1 err="permission denied"`,
			`msg="port open" bus=rs485-1 line="9600 8E1"`,
		} {
			logged, err := b.log.ReadString('\n')
			if err != nil || !strings.Contains(logged, line) {
				t.Errorf("logged %q, want %s", logged, line)
			}
		}
	})
}

// A port that opens but never works must not be opened in a loop.
func TestPortThatNeverWorksIsLeftMoreAndMoreAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		l.fault = func(modbus.UnitID) error { return &modbus.Error{Fault: modbus.Medium, Err: errors.New("EIO")} }
		b := start(t, on(l))
		defer b.stop()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			if _, err := b.Do(t.Context(), bus.Poll, request(1), timing); modbus.FaultOf(err) != modbus.Medium {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := b.Stats().Opens; n < 15 || n > 35 {
			t.Errorf("opened %d times in a minute", n)
		}
	})
}

func TestMissingPortIsNotFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		plugged := time.Now().Add(10 * time.Minute)
		attempts := 0
		b := start(t, func(context.Context) (bus.Transport, error) {
			if attempts++; time.Now().Before(plugged) {
				return nil, fs.ErrNotExist
			}
			return l, nil
		})
		defer b.stop()
		_, err := b.Do(t.Context(), bus.Poll, request(1), timing)
		if modbus.FaultOf(err) != modbus.Medium || !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		time.Sleep(time.Until(plugged))
		<-b.Back()
		if late := time.Since(plugged); late > 250*time.Millisecond {
			t.Errorf("found %v after it was plugged in", late)
		}
		if _, err := b.Do(t.Context(), bus.Poll, request(1), timing); err != nil {
			t.Error(err)
		}
		b.stop()
		if attempts < 2400 || attempts > 4900 {
			t.Errorf("%d attempts in ten minutes", attempts)
		}
		if n := strings.Count(b.log.String(), "port down"); n != 1 {
			t.Errorf("logged %d times that the port is missing:\n%s", n, b.log.String())
		}
	})
}

func TestCancelAbandonsOnlyTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		b := start(t, on(l))
		defer b.stop()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		data := []byte{0, 1}
		for _, req := range []modbus.Request{
			request(1), // is on the wire when its caller leaves
			{Unit: 2, Function: modbus.WriteSingleRegister, Data: data}, // still waits
		} {
			wg.Go(func() {
				if _, err := b.Do(ctx, bus.Poll, req, timing); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("unit %d: %v", req.Unit, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		data[1] = 2 // belongs to the caller again
		if _, err := b.Do(t.Context(), bus.Poll, request(3), timing); err != nil {
			t.Error(err)
		}
		if want := []modbus.UnitID{1, 3}; !slices.Equal(l.served, want) {
			t.Errorf("served %d, want %d", l.served, want)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, on(newLine()))
		defer b.stop()
		var wg sync.WaitGroup
		var polls []*outcome
		for range 300 {
			polls = append(polls, b.ask(&wg, bus.Poll, 1))
		}
		command := b.ask(&wg, bus.Command, 1)
		wg.Wait()
		refused := 0
		for _, o := range polls {
			if modbus.FaultOf(o.err) == modbus.Busy && o.took == 0 {
				refused++
			}
		}
		if want := 300 - 256 - 1; refused != want { // one is on the wire
			t.Errorf("%d polls refused, want %d", refused, want)
		}
		if command.err != nil {
			t.Error("polls kept a command out:", command.err)
		}
	})
}

// Stopping finishes what is on the wire and answers everybody else.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		b := start(t, on(l))
		var wg sync.WaitGroup
		running, waiting := b.ask(&wg, bus.Poll, 1), b.ask(&wg, bus.Poll, 2)
		b.stop()
		wg.Wait()
		if running.err != nil || modbus.FaultOf(waiting.err) != modbus.Medium {
			t.Errorf("running: %v, waiting: %v", running.err, waiting.err)
		}
		if _, err := b.Do(t.Context(), bus.Poll, request(1), timing); modbus.FaultOf(err) != modbus.Medium {
			t.Errorf("afterwards: %v", err)
		}
		if l.closed != 1 || b.String() != "bus rs485-1" {
			t.Errorf("%v: closed %d times", b, l.closed)
		}
	})
}

// TestDoWhole makes sure that whoever must know what became of a request does.
func TestDoWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		b := start(t, func(context.Context) (bus.Transport, error) { return l, nil })
		defer b.stop()
		write := modbus.Request{Unit: 1, Function: modbus.ReadHoldingRegisters, Count: 1}
		during, cancel := context.WithTimeout(t.Context(), l.wire/2)
		defer cancel()
		if _, err := b.DoWhole(during, write, timing); err != nil {
			t.Error("cancelled on the wire:", err)
		}
		l.until[1] = time.Now().Add(time.Minute)
		before, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.DoWhole(before, write, timing); !errors.Is(err, modbus.ErrNotSent) || !errors.Is(err, context.DeadlineExceeded) {
			t.Error("cancelled while it waited:", err)
		}
		l.fault = func(modbus.UnitID) error { return &modbus.Error{Fault: modbus.Medium, Err: errors.New("unplugged")} }
		write.Unit = 2
		if _, err := b.DoWhole(t.Context(), write, timing); errors.Is(err, modbus.ErrNotSent) || modbus.FaultOf(err) != modbus.Medium {
			t.Error("lost on the wire:", err)
		}
		if _, err := b.DoWhole(t.Context(), write, timing); !errors.Is(err, modbus.ErrNotSent) || modbus.FaultOf(err) != modbus.Medium {
			t.Error("while the port is down:", err)
		}
		if len(l.served) != 1 {
			t.Error("served", l.served)
		}
	})
}
