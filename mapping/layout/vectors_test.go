package layout_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// TestVectors decodes what testdata/vectors.py says devices send, and encodes it
// again.
func TestVectors(t *testing.T) {
	f, err := os.Open("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	var n, scaled int
	combinations := map[string]bool{}
	for n = 0; lines.Scan(); n++ {
		v, err := parseVector(lines.Text())
		if err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
		combinations[v.cfg.Type.String()+" "+v.cfg.Order.String()] = true
		if v.exact() && v.cfg.Scale != 1 {
			scaled++
		}
		if err := v.check(); err != nil {
			t.Errorf("line %d: %.120q: %v", n+1, lines.Text(), err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d vectors, of %d combinations of type and order; %d scaled ones are written back to the bit", n, len(combinations), scaled)
	if n < 2000 {
		t.Errorf("%d vectors; the script writes more than 2000", n)
	}
}

type vector struct {
	cfg   layout.Config
	wire  []byte
	kind  string
	value string
}

func (v vector) check() error {
	l, err := layout.New(v.cfg)
	if err != nil {
		return err
	}
	if 2*l.Words() != len(v.wire) {
		return fmt.Errorf("spans %d registers, %d bytes given", l.Words(), len(v.wire))
	}
	got, err := l.Decode(v.wire)
	if v.kind == "error" {
		if err == nil || err.Error() != v.value || got != (point.Value{}) {
			return fmt.Errorf("got %v, error %v, want no value and %q", got, err, v.value)
		}
		return nil
	}
	if err != nil {
		return err
	}
	want, err := v.want()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("got %v", got)
	}
	if strings.Contains(v.value, "\uFFFD") {
		return nil // what is not UTF-8 does not come back
	}
	if err := checkRoundTrip(l, v.cfg, v.wire, got); err != nil || !v.exact() {
		return err
	}
	wire := bytes.Clone(v.wire)
	if err := l.Encode(wire, got); err != nil || !bytes.Equal(wire, v.wire) {
		return fmt.Errorf("was written as %x, %v", wire, err)
	}
	return nil
}

// exact reports whether no two numbers in the registers are the same value: a float
// tells 32 bits apart, however they are scaled.
func (v vector) exact() bool { return v.cfg.Type.Integer() && v.cfg.Type.Words() <= 2 }

func (v vector) want() (point.Value, error) {
	switch v.kind {
	case "bool":
		b, err := strconv.ParseBool(v.value)
		return point.BoolValue(b), err
	case "int":
		i, err := strconv.ParseInt(v.value, 10, 64)
		return point.IntValue(i), err
	case "uint":
		u, err := strconv.ParseUint(v.value, 10, 64)
		return point.UintValue(u), err
	case "float":
		f, err := strconv.ParseFloat(v.value, 64)
		return point.FloatValue(f), err
	case "text":
		s, err := strconv.Unquote(v.value)
		return point.TextValue(s), err
	}
	return point.Value{}, fmt.Errorf("unknown kind %q", v.kind)
}

func parseVector(line string) (vector, error) {
	field := strings.Split(line, "\t")
	if len(field) != 8 {
		return vector{}, fmt.Errorf("%d fields, want 8", len(field))
	}
	v := vector{kind: field[6], value: field[7]}
	var errs [6]error
	v.cfg.Type, errs[0] = layout.ParseType(field[0])
	v.cfg.Order, errs[1] = layout.ParseOrder(field[1], len(field[1])/2)
	switch {
	case field[2] == "-":
	case v.cfg.Type.Text():
		v.cfg.Words, errs[2] = strconv.Atoi(field[2])
	default:
		v.cfg.Bits, errs[2] = layout.ParseBits(field[2])
	}
	v.cfg.Scale, errs[3] = strconv.ParseFloat(field[3], 64)
	v.cfg.Offset, errs[4] = strconv.ParseFloat(field[4], 64)
	v.wire, errs[5] = hex.DecodeString(field[5])
	return v, errors.Join(errs[:]...)
}
