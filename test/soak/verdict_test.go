package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestVerdict: 1 and 2 are acknowledged to their publisher, 2 arrives again on the
// second connection.
func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*acknowledged, *witness, *account)
		want   string // of the error
	}{
		{"kept", func(*acknowledged, *witness, *account) {}, ""},
		{"nothing was promised", func(a *acknowledged, _ *witness, _ *account) { clear(a.safe) }, "no publisher got an acknowledgement"},
		{"lost", func(_ *acknowledged, w *witness, _ *account) { delete(w.settled, id{"p", 2}) }, "messages were lost"},
		{"late", func(_ *acknowledged, w *witness, _ *account) {
			w.arrivals[0], w.arrivals[1] = w.arrivals[1], w.arrivals[0]
		}, "messages arrived out of order"},
		{"dropped", func(_ *acknowledged, _ *witness, a *account) { a.Delivered, a.Overflow = 1, 1 }, "not everything that was appended was delivered"},
		{"unbalanced", func(_ *acknowledged, _ *witness, a *account) { a.Balance = 1 }, "the account does not add up"},
		{"invented", func(_ *acknowledged, _ *witness, a *account) { a.Appended, a.Delivered = 4, 4 }, "more was delivered than arrived"},
		{"repeated", func(_ *acknowledged, w *witness, _ *account) { w.arrivals[2].bytes = 200 }, "a connection sent more than 100 bytes again"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one, two := id{"p", 1}, id{"p", 2}
			a := &acknowledged{safe: map[id]bool{one: true, two: true}}
			w := newWitness()
			w.arrivals = []arrival{{one, 1, 50}, {two, 1, 50}, {two, 2, 50}}
			w.settled = map[id]bool{one: true, two: true}
			end := account{Appended: 2, Delivered: 2}
			tt.change(a, w, &end)
			err := judgeRelay(a, w, &subscriber{seen: map[id]bool{one: true}}, end).err(100)
			if got := strings.ReplaceAll(errorText(err), "\n", "; "); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestPass: whole packets go on as they came, up to the end.
func TestPass(t *testing.T) {
	long := append([]byte{0x32, 0x80, 0x01}, make([]byte, 128)...)
	in := append([]byte{0xc0, 0, 0x40, 2, 0, 7}, long...)
	var out, shown bytes.Buffer
	pass(&out, bytes.NewReader(append(in, 0x32, 9, 1)), func(first byte, body []byte) {
		shown.WriteByte(first)
		shown.WriteByte(byte(len(body)))
	})
	if !bytes.Equal(out.Bytes(), in) {
		t.Errorf("passed % x", out.Bytes())
	}
	if want := []byte{0xc0, 0, 0x40, 2, 0x32, 128}; !bytes.Equal(shown.Bytes(), want) {
		t.Errorf("shown % x, want % x", shown.Bytes(), want)
	}
}
