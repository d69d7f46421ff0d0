package serial

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// recorder is a uart that notes what is done to it, and has a FIFO that empties
// late.
type recorder struct {
	events []string
	late   int // times that Empty is false
	fail   error
}

func (r *recorder) Write(b []byte) (int, error) {
	r.events = append(r.events, fmt.Sprintf("write %d", len(b)))
	return len(b), r.fail
}

func (r *recorder) SetRTS(on bool) error {
	r.events = append(r.events, fmt.Sprintf("rts %t", on))
	return nil
}

func (r *recorder) Sleep(d time.Duration) { r.events = append(r.events, d.String()) }

func (r *recorder) Empty() bool {
	r.late--
	return r.late < 0
}

func TestRTSByProgram(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		mode RS485
		uart recorder
		want []string
	}{
		{"on-send", RS485{DelayBefore: time.Millisecond, DelayAfter: 2 * time.Millisecond}, recorder{},
			[]string{"rts true", "1ms", "write 8", "4.583333ms", "2ms", "rts false"}},
		{"after-send, slow UART", RS485{AfterSend: true}, recorder{late: 2},
			[]string{"rts false", "0s", "write 8", "4.583333ms", "100µs", "100µs", "0s", "rts true"}},
		{"failed write", RS485{}, recorder{fail: broken},
			[]string{"rts true", "0s", "write 8", "4.583333ms", "0s", "rts false"}},
	} {
		r := rts{mode: tt.mode, line: nineteen2, uart: &tt.uart}
		n, err := r.Write(make([]byte, 8))
		if n != 8 || !errors.Is(err, tt.uart.fail) || !slices.Equal(tt.uart.events, tt.want) {
			t.Errorf("%s: %d, %v, %q; want %q", tt.name, n, err, tt.uart.events, tt.want)
		}
	}
}

// An adapter that never empties must not hold the line.
func TestRTSIsSwitchedBack(t *testing.T) {
	u := &recorder{late: 1 << 30}
	r := rts{line: nineteen2, uart: u}
	if _, err := r.Write([]byte{1}); err != nil {
		t.Error(err)
	}
	if last := u.events[len(u.events)-1]; last != "rts false" || len(u.events) > 200 {
		t.Errorf("%d events, the last is %s", len(u.events), last)
	}
}
