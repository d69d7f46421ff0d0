package layout

import (
	"fmt"
	"slices"

	"sluice/mapping/point"
)

// MaxInvalid is the most values that Invalid may list.
const MaxInvalid = 32

// Invalid is what a device sends in place of a value that it has not got.
type Invalid struct {
	Raw []point.Value // numbers as the registers hold them, before scaling: 0xFFFF of a uint16, -32768 of an int16
	Set InvalidSet
}

// InvalidSet is a set of values that has a name.
type InvalidSet uint8

// The sets. SunSpec has a value for each type (SunSpec Device Information Model
// Specification, 6): the least of a signed integer, the greatest of an unsigned
// one, NaN of a float, a string of nothing. NaN is any NaN or infinity of a float.
const (
	NoSet InvalidSet = iota
	SunSpec
	NaN
)

// refuse compiles what is no value.
func (l *Layout) refuse(in Invalid) error {
	if len(in.Raw) > MaxInvalid {
		return fmt.Errorf("at most %d values may be invalid, not %d", MaxInvalid, len(in.Raw))
	}
	numeric := l.shape.number() || l.shape.form == truth && l.enum != nil
	switch {
	case len(in.Raw) > 0 && !numeric:
		return fmt.Errorf("a %s has no invalid numbers", l.shape.name)
	case in.Set == NaN && l.shape.form != ieee:
		return fmt.Errorf("a %s cannot be NaN, only a float can", l.shape.name)
	case in.Set == SunSpec && !l.shape.integer() && l.shape.form != ieee && l.shape.form != characters:
		return fmt.Errorf("SunSpec has no invalid %s", l.shape.name)
	}
	l.named = in.Set != NoSet
	var raw []uint64
	for _, v := range in.Raw {
		u, err := l.sentinel(v)
		if err != nil {
			return err
		}
		raw = append(raw, u)
	}
	if len(raw) > 0 {
		l.invalid = &raw
	}
	return nil
}

// sentinel returns the bits that hold v. An integer may be given as its bits, too:
// 0x8000 of an int16.
func (l *Layout) sentinel(v point.Value) (uint64, error) {
	plain := *l
	plain.linear, plain.enum = linear{}, nil
	if u := v.Uint(); l.shape.form == signed && v.Kind() == point.Uint && u <= l.mask() {
		return u, nil
	}
	u, err := plain.raw(v)
	if err != nil {
		return 0, fmt.Errorf("invalid: %w", err)
	}
	return u, nil
}

// stands reports whether the bits u stand for no value.
func (l Layout) stands(u uint64) bool {
	if l.invalid != nil && slices.Contains(*l.invalid, u) {
		return true
	}
	if !l.named {
		return false
	}
	switch l.shape.form {
	case signed:
		return u == 1<<(l.shape.width-1)
	case unsigned:
		return u == l.mask()
	case ieee:
		_, err := l.float(u)
		return err != nil
	default:
		return false
	}
}
