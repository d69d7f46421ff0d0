// Package mapping turns the devices of a site file into a plan: which registers
// to read in which blocks, and how their bytes become readings. It reads YAML
// through Node, which keeps every position, so that a mistake is reported with
// its line, its cause and its fix. The gateway polls by the plan; the package
// itself knows no bus, no broker and no clock.
package mapping

import (
	"encoding/binary"
	"iter"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping/formula"
	"sluice/mapping/layout"
)

// Device is one configured physical thing on a bus. It is immutable once read.
type Device struct {
	ID           string
	Name         string // for people; the ID where none is given
	Bus          string
	Unit         modbus.UnitID
	Template     string            // name of the template it was made from; empty for none
	Labels       map[string]string // of the site and of the device
	Chain        *Chain            // where its registers are; nil: where the points say
	Rest         time.Duration     // the device is left alone for so long after each exchange
	Timeout      time.Duration     // end of a request to the first byte of its reply
	OfflineAfter int               // failed exchanges in a row until the device counts as offline
	OfflineTime  time.Duration     // and no answer for so long
	StaleAfter   int               // intervals after which a value that was not read again is stale; 0: never
	NoCanary     bool              // see Settings
	Limits       Limits
	OnConnect    []Write // before the first poll, and after each absence
	Points       []Point
	Derived      []Point // computed from Points, without a register
	Place        Place
}

// Every returns all points of the device, those with a register first.
func (d *Device) Every() iter.Seq[*Point] {
	return func(yield func(*Point) bool) {
		for _, list := range [][]Point{d.Points, d.Derived} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// Write sets one coil or holding register.
type Write struct {
	Register Register
	Value    uint16 // of a coil: 0 or 1
}

// Request returns the request for the write to a unit.
func (w Write) Request(unit modbus.UnitID) modbus.Request {
	r := modbus.Request{Unit: unit, Function: modbus.WriteSingleRegister, Address: w.Register.Address, Count: 1}
	value := w.Value
	if w.Register.Table == Coil {
		r.Function = modbus.WriteSingleCoil
		value *= 0xFF00
	}
	r.Data = binary.BigEndian.AppendUint16(nil, value)
	return r
}

// Point is one named value of a device and where it lies.
type Point struct {
	ID       string
	Register Register
	Layout   layout.Layout
	Names    *layout.Enum // of the states of a coil or discrete input; nil: true and false
	Factor   *Factor      // by which the device scales it; nil: by none
	Range    Range        // that is plausible
	Counter  *Counter     // nil: the value does not count
	Unit     string       // e.g. "kWh"; empty for none
	Interval time.Duration
	Priority bool // keeps its interval when the line cannot carry everything
	Report   Report
	Formula  *formula.Formula // of a derived point; nil: it has a register
	Round    *int             // decimals of a derived point; nil: all
	Write    *Writable        // nil: nobody may write it
	Classes  Classes
	Place    Place
}

// span is how many registers, or bits of a bit table, the point covers.
func (p *Point) span() int {
	if p.Register.Table.Bits() {
		return 1
	}
	return p.Layout.Words()
}
