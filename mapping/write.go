package mapping

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping/point"
)

// Writable says to what a point may be written, and how.
type Writable struct {
	Function modbus.Function // 5, 6, 15, 16 or 22; 0: the one that fits
	Verify   bool            // read back what was written
	Bounded  bool            // by Min and Max; every number is, unless it has Values
	Min, Max float64
	Step     float64       // from Min on; 0: any number between
	Values   []point.Value // all that are allowed; empty: no such list
	MaxAge   time.Duration // of a command, until it runs
}

// Check reports why v may not be written, or nil.
func (w *Writable) Check(v point.Value) error {
	if len(w.Values) > 0 && !slices.ContainsFunc(w.Values, func(allowed point.Value) bool { return same(allowed, v) }) {
		return fmt.Errorf("%v is not allowed: it is one of %s", v, valueList(w.Values))
	}
	if !w.Bounded {
		return nil
	}
	f := v.Float()
	if !(f >= w.Min && f <= w.Max) {
		return fmt.Errorf("%v is not from %v to %v", v, w.Min, w.Max)
	}
	if w.Step > 0 {
		steps := (f - w.Min) / w.Step
		// A value that a person types in steps of 0.1 is no multiple of it in binary.
		if math.Abs(steps-math.Round(steps)) > 1e-9*max(1, math.Abs(steps)) {
			return fmt.Errorf("%v is not a whole number of steps of %v above %v", v, w.Step, w.Min)
		}
	}
	return nil
}

// same compares numbers of any kind by what they are worth.
func same(a, b point.Value) bool {
	return a == b || a.Float() == b.Float()
}

func valueList(values []point.Value) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.String()
	}
	return strings.Join(words, ", ")
}

// Kind is what the point's values are.
func (p *Point) Kind() point.Kind {
	switch {
	case p.Formula != nil:
		return p.Formula.Kind()
	case p.Names != nil:
		return point.Text
	case p.Register.Table.Bits():
		return point.Bool
	default:
		return p.Layout.Kind()
	}
}

// Fills reports whether a write needs not know what the registers hold: the value
// fills them, or the function is one that leaves the other bits alone.
func (p *Point) Fills() bool {
	if p.Register.Table.Bits() || p.Write != nil && p.Write.Function == modbus.MaskWriteRegister {
		return true
	}
	_, keep, err := p.masks(p.sample())
	return err == nil && !slices.ContainsFunc(keep, func(b byte) bool { return b != 0 })
}

// sample is a value that every layout of the point's kind can hold.
func (p *Point) sample() point.Value {
	switch enum := p.Layout.Enum(); {
	case enum != nil:
		return point.TextValue(enum.Names()[0])
	case p.Kind() == point.Bool:
		return point.BoolValue(false)
	case p.Kind() == point.Text:
		return point.TextValue("")
	}
	zero := make([]byte, 2*p.span())
	if v, err := p.Layout.Decode(zero); err == nil {
		return v
	}
	return point.IntValue(0)
}

// masks returns the bits that v sets, and those that it leaves alone.
func (p *Point) masks(v point.Value) (set, keep []byte, err error) {
	set, keep = make([]byte, 2*p.span()), make([]byte, 2*p.span())
	for i := range keep {
		keep[i] = 0xFF
	}
	if err := errors.Join(p.Layout.Encode(set, v), p.Layout.Encode(keep, v)); err != nil {
		return nil, nil, err
	}
	for i := range keep {
		keep[i] ^= set[i]
	}
	return set, keep, nil
}

// WriteRequest returns the request that writes v to the point of a unit, by the
// function that Write names or by the one that fits. current is what the registers
// hold; it may be nil if the point Fills them.
func (p *Point) WriteRequest(unit modbus.UnitID, v point.Value, current []byte) (modbus.Request, error) {
	r := modbus.Request{Unit: unit, Function: p.function(), Address: p.Register.Address, Count: uint16(p.span())}
	if p.Register.Table.Bits() {
		on, err := p.On(v)
		r.Data = coilData(r.Function, on)
		return r, err
	}
	if current == nil && !p.Fills() {
		return r, errors.New("what the rest of the register holds must be read first")
	}
	if r.Function == modbus.MaskWriteRegister {
		set, keep, err := p.masks(v)
		r.Data = append(keep, set...)
		return r, err
	}
	r.Data = make([]byte, 2*p.span())
	copy(r.Data, current)
	return r, p.Layout.Encode(r.Data, v)
}

// On is the state of a coil that v stands for.
func (p *Point) On(v point.Value) (bool, error) {
	switch {
	case p.Names != nil:
		n, err := p.Names.Number(v)
		return n == 1, err
	case v.Kind() != point.Bool:
		return false, fmt.Errorf("%v is neither true nor false", v)
	default:
		return v.Bool(), nil
	}
}

// function is the one that writes the point.
func (p *Point) function() modbus.Function {
	switch {
	case p.Write != nil && p.Write.Function != 0:
		return p.Write.Function
	case p.Register.Table.Bits():
		return modbus.WriteSingleCoil
	case p.span() == 1:
		return modbus.WriteSingleRegister
	default:
		return modbus.WriteMultipleRegisters
	}
}

func coilData(f modbus.Function, on bool) []byte {
	switch {
	case f == modbus.WriteMultipleCoils && on:
		return []byte{1}
	case f == modbus.WriteMultipleCoils:
		return []byte{0}
	case on:
		return binary.BigEndian.AppendUint16(nil, 0xFF00)
	default:
		return []byte{0, 0}
	}
}
