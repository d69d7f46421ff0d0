package mapping

import (
	"errors"
	"fmt"

	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// maxPower bounds the power of ten that a device may give (SunSpec Device
// Information Model Specification, sunssf).
const maxPower = 10

// Factor is the register that holds the power of ten by which a value is scaled.
// Devices change it while they run, so it is read by the same request as the
// value, always.
type Factor struct {
	Register Register
	Layout   layout.Layout
}

// power decodes the factor.
func (f *Factor) power(raw []byte) (int, error) {
	v, err := f.Layout.Decode(raw)
	if err != nil {
		return 0, fmt.Errorf("scale factor: %w", err)
	}
	if p := v.Float(); p < -maxPower || p > maxPower {
		return 0, fmt.Errorf("scale factor %v is out of range", v)
	}
	return int(v.Float()), nil
}

// begin and end are the first register or bit that must be read for the point,
// and the one behind the last.
func (p *Point) begin() int {
	if p.Factor != nil {
		return min(int(p.Register.Address), int(p.Factor.Register.Address))
	}
	return int(p.Register.Address)
}

func (p *Point) end() int {
	end := int(p.Register.Address) + p.span()
	if p.Factor != nil {
		end = max(end, int(p.Factor.Register.Address)+p.Factor.Layout.Words())
	}
	return end
}

// scaledBy completes a point whose scale another point holds. most is how many
// registers the device gives at once.
func (p *Point) scaledBy(f *Point, most int) error {
	switch kind := f.Layout.Kind(); {
	case f.Register.Table.Bits() || f.Layout.Words() == 0 || kind != point.Int && kind != point.Uint:
		return fmt.Errorf("point %q is no whole number in registers", f.ID)
	case p.Register.Table.Bits() || !p.numeric() || p.Layout.Words() == 0:
		return errors.New("only a number in registers can be scaled")
	case p.Register.Table != f.Register.Table:
		return fmt.Errorf("point %q is in another table and cannot be read by the same request", f.ID)
	}
	q := *p
	q.Factor = &Factor{f.Register, f.Layout}
	if q.end()-q.begin() > most {
		return fmt.Errorf("point %q is too far away to be read by the same request", f.ID)
	}
	if q.Counter != nil && q.Counter.Rollover == q.Layout.Modulus() {
		q.Counter.Rollover = 0 // what its registers hold is worth something else with every scale
	}
	q.Layout = q.Layout.Shifted(0)
	*p = q
	return nil
}
