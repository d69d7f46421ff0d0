// Package sim is a half-duplex RS-485 bus with Modbus RTU or ASCII units on it, true
// to the baud rate: RTU requests end by silence, units need their time, replies
// arrive as a UART delivers them, and everything may go wrong as often as asked.
// With Modbus TCP the units are on a network, where characters take no time. The
// demo, the simulator command, tests and benchmarks put a gateway on it, through
// a pseudo-terminal in real time or through a MemPort in either real time or a
// testing/synctest bubble. What the units hold is the business of package
// device; the gateway's own drivers are unknown here.
package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim/device"
)

// Config is a bus and what is attached to it.
type Config struct {
	Line    modbus.Line    // not used with modbus.TCP
	Framing modbus.Framing // modbus.RTU unless said otherwise
	Units   map[modbus.UnitID]Unit
	Adapter Adapter
	Seed    uint64 // of every random choice

	// Strict units take a request that was not preceded by t3.5 of silence for the
	// tail of whatever came before it, and ignore it.
	Strict bool

	// Answer, if set, stands for all units: it returns the reply to a request, both
	// whole frames, and how long after the request it begins; nil for none. It is called by
	// Serve.
	Answer func(adu []byte) (reply []byte, after time.Duration)

	// OnReply, if set, learns of every reply when its last character is on the wire,
	// before the host can have seen it whole. It is called by Serve and holds up the
	// bus.
	OnReply func(Reply)
}

// Unit is one device and how its firmware behaves on the wire.
type Unit struct {
	Device  device.Device
	Latency time.Duration // from t3.5 after the request to the reply
	Jitter  time.Duration // up to this much more, uniformly
	Queue   bool          // while busy it keeps the latest request; otherwise it hears none
	Refuses []modbus.Function
	Ignores []modbus.Function
}

// Reply is one reply of a unit.
type Reply struct {
	Unit     modbus.UnitID
	Function modbus.Function // of the request
	Address  uint16          // of the request; the sub-function of Diagnostics
	At       time.Time       // when the last character ended; how late the call is, so late is the simulation
	ADU      []byte          // as sent, faults included; valid during the call
}

// Bus is the simulator. Its methods may be called at any time and concurrently.
type Bus struct {
	cfg      Config
	random   *rand.Rand    // used by Serve only
	serving  chan struct{} // holds a token while nobody serves
	counters counters

	mu     sync.Mutex
	faults Faults
	ofUnit map[modbus.UnitID]Faults
}

// New returns a bus that nobody is connected to yet.
func New(cfg Config) *Bus {
	if cfg.Framing == modbus.TCP {
		cfg.Line, cfg.Adapter = network, Adapter{Trigger: maxTCP}
	}
	b := &Bus{
		cfg:     cfg,
		random:  rand.New(rand.NewPCG(cfg.Seed, 0)),
		serving: make(chan struct{}, 1),
	}
	b.serving <- struct{}{}
	return b
}

// Serve connects the bus to a port until ctx is cancelled, and returns nil, or
// until the port is gone: ErrUnplugged. A bus has one port at a time;
// Serve waits for an earlier one to be left. What was on the wire then is lost,
// while devices, faults and statistics live on.
func (b *Bus) Serve(ctx context.Context, p Port) error {
	select {
	case <-b.serving:
		defer func() { b.serving <- struct{}{} }()
	case <-ctx.Done():
		return nil
	}
	release, err := p.acquire(ctx)
	if err != nil {
		return fmt.Errorf("simulated bus: %w", err)
	}
	defer release()
	for w := newWire(b, p.deliver); ; {
		written, err := p.await(ctx, w.pause())
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("simulated bus: %w", err)
		}
		w.advance(written)
	}
}

// Port is the host's connection to a bus: a PTY or a MemPort.
type Port interface {
	// Unplug pulls the adapter out, for good: both ends get errors.
	Unplug()
	// acquire claims the port for one Serve.
	acquire(ctx context.Context) (release func(), err error)
	// await returns what the host wrote, valid until the next call, or nothing when
	// the pause is over or for no reason. forever is a pause without end.
	await(ctx context.Context, pause time.Duration) ([]byte, error)
	// deliver puts characters in the host's receive buffer, or drops them when it is
	// full.
	deliver(p []byte)
}

// forever is the pause of a bus on which nothing is going to happen.
const forever time.Duration = -1
