package layout

import (
	"errors"
	"fmt"
)

var (
	errType    = errors.New("value has no type")
	errOrder   = errors.New("value has no such order")
	errFinite  = errors.New("scale and offset must be finite")
	errWords   = errors.New("only a text has a length; its type gives every other value one")
	errPadding = errors.New("only a text is padded, with NUL or blanks")
	errEnum    = errors.New("an enum names whole numbers that are not scaled")
	errRound   = errors.New("only a number with decimals can be rounded")
)

func (cfg Config) check() error {
	switch {
	case !cfg.Type.valid():
		return errType
	case !cfg.Order.valid():
		return errOrder
	case cfg.Type.Text() && (cfg.Words < 1 || cfg.Words > MaxWords):
		return fmt.Errorf("a %v spans 1 to %d registers, not %d", cfg.Type, MaxWords, cfg.Words)
	case !cfg.Type.Text() && cfg.Words != 0:
		return errWords
	case cfg.Padding != NUL && (cfg.Padding != Space || shapes[cfg.Type].form != characters):
		return errPadding
	}
	if err := cfg.checkBits(); err != nil {
		return err
	}
	return cfg.checkScale()
}

// checkBits refuses bits that the value has not got.
func (cfg Config) checkBits() error {
	b, width := cfg.Bits, int(shapes[cfg.Type].width)
	switch {
	case b == Bits{}:
		return nil
	case cfg.Type == Bool:
		width = 16
		if b.Width != 1 {
			return errors.New("a bool is one bit")
		}
	case !cfg.Type.Integer():
		return fmt.Errorf("a %v has no bits of its own, only an integer has", cfg.Type)
	}
	if b.Low < 0 || b.Width < 1 || b.Low+b.Width > width {
		return fmt.Errorf("the bits of this value are 0 to %d", width-1)
	}
	return nil
}

func (cfg Config) checkScale() error {
	scaled := cfg.Scale != 0 && cfg.Scale != 1 || cfg.Offset != 0
	number := cfg.Type.Number() && cfg.Bits.Width != 1
	switch {
	case !finite(cfg.Scale) || !finite(cfg.Offset):
		return errFinite
	case scaled && !number:
		return fmt.Errorf("a %s has neither scale nor offset", cfg.what())
	case cfg.Enum != nil && (scaled || !cfg.Type.Integer() && cfg.Type != Bool):
		return errEnum
	case cfg.Round == nil:
		return nil
	case cfg.Enum != nil || !number || !scaled && shapes[cfg.Type].form != ieee:
		return errRound
	case *cfg.Round < 0 || *cfg.Round > MaxRound:
		return fmt.Errorf("numbers are rounded to 0 to %d decimals, not %d", MaxRound, *cfg.Round)
	}
	return nil
}

func (cfg Config) what() string {
	if cfg.Bits.Width == 1 {
		return Bool.String()
	}
	return cfg.Type.String()
}

// checkEnum refuses names of numbers that the bits cannot hold.
func (l Layout) checkEnum() error {
	if l.enum == nil {
		return nil
	}
	for _, n := range l.enum.numbers {
		if l.number(uint64(n)&l.mask()) != n {
			return fmt.Errorf("%d does not fit into this value", n)
		}
	}
	return nil
}
