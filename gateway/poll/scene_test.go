package poll_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/sim"
	simdevice "sluice/drivers/sim/device"
	"sluice/drivers/tcp"
	"sluice/gateway/poll"
	"sluice/mapping"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// scene is a poller, its bus and a simulated line of one meter, with somebody who
// writes everything down. Adapters hand over every character at once.
type scene struct {
	t     *testing.T
	log   *transcript
	open  func(context.Context) (bus.Transport, error)
	echo  bool
	sim   *sim.Bus
	bus   *bus.Bus
	meter mapping.Device
	stop  context.CancelFunc
	runs  sync.WaitGroup

	doubts modbus.Doubts
	mu     sync.Mutex
	port   *sim.MemPort // nil while it is pulled out
	babble bool
	good   int // readings
}

// The meter has unit number 1 and two points, too far apart for one request, so
// that the replies of both look the same. Nothing else may ever be read of them.
const (
	lowAddress, highAddress = 0, 150
	lowValue, highValue     = 100, 250
)

func newScene(t *testing.T, latency time.Duration) *scene {
	t.Helper()
	s := &scene{t: t, log: &transcript{}, port: sim.NewMemPort()}
	words := make([]uint16, 200)
	words[lowAddress], words[highAddress] = lowValue, highValue
	s.sim = sim.New(sim.Config{
		Line:    line,
		Units:   map[modbus.UnitID]sim.Unit{1: {Device: &simdevice.Memory{simdevice.Holding: words}, Latency: latency, Queue: true}},
		Adapter: sim.Adapter{Trigger: 1},
		Seed:    3,
		Strict:  true,
		OnReply: func(r sim.Reply) { s.log.wire("unit 1", r.At, r.ADU) },
	})
	s.meter = mapping.Device{ID: "meter", Unit: 1, Timeout: 200 * ms, OfflineAfter: 3, OfflineTime: 3 * time.Second}
	s.open = s.openSerial
	s.point("low", lowAddress)
	s.point("high", highAddress)
	return s
}

// point adds a point of one register.
func (s *scene) point(id string, address uint16) {
	l, err := layout.New(layout.Config{Type: layout.Uint16})
	if err != nil {
		s.t.Fatal(err)
	}
	s.meter.Points = append(s.meter.Points, mapping.Point{
		ID: id, Register: mapping.Register{Table: mapping.Holding, Address: address}, Layout: l, Interval: time.Second,
	})
}

// openSerial has the line served behind the port, if there is one.
func (s *scene) openSerial(ctx context.Context) (bus.Transport, error) {
	s.mu.Lock()
	port := s.port
	s.mu.Unlock()
	if port == nil {
		return nil, os.ErrNotExist
	}
	s.runs.Go(func() { _ = s.sim.Serve(ctx, port) })
	return rtu.New(&witness{port, s}, rtu.Config{Line: line, Echo: s.echo, Doubts: &s.doubts}), nil
}

// serve has a bus open the port.
func (s *scene) serve() {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.stop = cancel
	s.bus = bus.New(bus.Config{ID: "b", Line: line, Open: func(ctx context.Context) (bus.Transport, error) {
		port, err := s.open(ctx)
		if err == nil {
			s.log.note("port", "open")
		}
		return port, err
	}}, slog.New(slog.DiscardHandler))
	s.runs.Go(func() { _ = s.bus.Run(ctx) })
	synctest.Wait()
}

// poll opens the port and polls the meter, one round a second.
func (s *scene) poll() {
	s.serve()
	ctx, cancel := context.WithCancel(s.t.Context())
	stop := s.stop
	s.stop = func() { cancel(); stop() }
	p := poll.New(poll.Config{
		Bus: "b", Line: line, Devices: []mapping.Device{s.meter}, Emit: s.emit, Back: s.bus.Back(),
		Exchange: func(ctx context.Context, req modbus.Request, t modbus.Timing) (poll.Response, error) {
			a, err := s.bus.Do(ctx, bus.Poll, req, t)
			return poll.Response(a), err
		},
	}, slog.New(slog.DiscardHandler))
	s.runs.Go(func() { _ = p.Run(ctx) })
}

// end stops everything.
func (s *scene) end() {
	s.stop()
	s.runs.Wait()
}

// emit is the publisher. A value that is not the register's is what must never be.
func (s *scene) emit(_ context.Context, readings []point.Reading) {
	for _, r := range readings {
		s.log.published(r)
		if r.Quality != point.Good {
			continue
		}
		if want := map[string]uint64{"low": lowValue, "high": highValue}[r.Point]; r.Value != point.UintValue(want) {
			s.t.Errorf("%s has the value %v", r.Point, r.Value)
		}
		s.mu.Lock()
		s.good++
		s.mu.Unlock()
	}
}

// goodOnes is how many good readings there were.
func (s *scene) goodOnes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.good
}

// write is a command to a unit: its outcome is published as its result.
func (s *scene) write(ctx context.Context, unit modbus.UnitID, address, value uint16) {
	req := modbus.Request{Unit: unit, Function: modbus.WriteSingleRegister, Address: address, Data: binary.BigEndian.AppendUint16(nil, value)}
	_, err := s.bus.Do(ctx, bus.Command, req, modbus.Timing{Timeout: s.meter.Timeout})
	s.result(err, "write holding %d = %d of unit %d", address, value, unit)
}

// read is what a technician asks for.
func (s *scene) read(ctx context.Context, unit modbus.UnitID, address uint16) {
	req := modbus.Request{Unit: unit, Function: modbus.ReadHoldingRegisters, Address: address, Count: 1}
	r, err := s.bus.Do(ctx, bus.Command, req, modbus.Timing{Timeout: s.meter.Timeout})
	s.result(err, "read holding %d of unit %d = % x", address, unit, r.Data)
}

func (s *scene) result(err error, format string, args ...any) {
	switch {
	case err == nil:
		s.log.note("result", format+": ok", args...)
	case errors.Is(err, context.Canceled):
		s.log.note("result", format+": given up", args...)
	default:
		s.log.note("result", format+": %s", append(args, modbus.Reason(err))...)
	}
}

// pull takes the adapter out, replug puts another one in.
func (s *scene) pull() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.note("port", "pulled out")
	s.port.Unplug()
	s.port = nil
}

func (s *scene) replug() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.note("port", "plugged in")
	s.port = sim.NewMemPort()
}

// witness is the port, and writes down what the master sends. It is also where
// the line babbles, since no unit of the simulator does.
type witness struct {
	*sim.MemPort
	scene *scene
}

func (w *witness) Write(p []byte) (int, error) {
	n, err := w.MemPort.Write(p)
	if err != nil {
		return n, err
	}
	w.scene.log.wire("master", time.Now().Add(line.Chars(len(p))), p)
	if w.scene.echo {
		w.scene.log.note("echo", "%s", spell(p))
	}
	return n, nil
}

func (w *witness) Read(p []byte) (int, error) {
	w.scene.mu.Lock()
	babble := w.scene.babble
	w.scene.mu.Unlock()
	if !babble {
		return w.MemPort.Read(p)
	}
	time.Sleep(line.Chars(len(noise)))
	return copy(p, noise), nil
}

var noise = []byte{0x55, 0x00, 0xFF, 0x01, 0x03, 0x55, 0x55, 0x00, 0xFF, 0x01}

func (s *scene) babbles(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.babble = on
}

// openNetwork connects to a meter that speaks Modbus TCP. It takes 10 ms, and
// once, to the first request after that long, so much longer.
func (s *scene) openNetwork(after, late time.Duration) func(context.Context) (bus.Transport, error) {
	return func(context.Context) (bus.Transport, error) {
		near, far := net.Pipe()
		start, frames := time.Now(), make(chan []byte, 8)
		s.runs.Go(func() {
			defer close(frames)
			for request := make([]byte, 12); ; {
				if _, err := io.ReadFull(far, request); err != nil {
					return
				}
				s.log.wire("master", time.Now(), request)
				frames <- slices.Clone(request)
			}
		})
		s.runs.Go(func() {
			for request := range frames {
				time.Sleep(10 * ms)
				if late > 0 && time.Since(start) > after {
					time.Sleep(late)
					late = 0
				}
				words := map[uint16]byte{lowAddress: lowValue, highAddress: highValue}
				reply := append(request[:5:5], 5, 1, 3, 2, 0, words[binary.BigEndian.Uint16(request[8:])])
				s.log.wire("unit 1", time.Now(), reply)
				if _, err := far.Write(reply); err != nil {
					return
				}
			}
		})
		return tcp.New(near), nil
	}
}
