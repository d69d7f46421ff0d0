package transcript_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice/drivers/transcript"
)

// TestReplay asks for what a transcript has, and for what it has not.
func TestReplay(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		unknown    string
		asked      []string
		want       []string
	}{
		{"serial", "sluice transcript 1\n+0 > 01 02\n+50 < 0a\n+9 > 01 02\n+300 -\n+9 > 03\n+20 ? ff\n+40 < 0b\n+1 < 0c\n+5 > 01 02\n+70 < 0d\n", "04 2×",
			[]string{"\x01\x02", "\x01\x02", "\x01\x02", "\x01\x02", "\x03", "\x04", "\x04"},
			[]string{"0a 50µs", " 0s", "0d 70µs", "0a 50µs", "0b 60µs", " 0s", " 0s"}},
		{"network", "sluice transcript 1\nframing tcp\n+0 > 00 01 00 00 00 02 01 03\n+50 < 00 01 00 00 00 03 01 83 02\n", "",
			[]string{"\x12\x34\x00\x00\x00\x02\x01\x03"},
			[]string{"12 34 00 00 00 03 01 83 02 50µs"}},
	} {
		recorded, err := transcript.Parse(strings.NewReader(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		r := transcript.NewReplay(recorded)
		for i, request := range tt.asked {
			reply, after := r.Answer([]byte(request))
			if got := fmt.Sprintf("% x %v", reply, after); got != tt.want[i] {
				t.Errorf("%s: % x was answered by %s, want %s", tt.name, request, got, tt.want[i])
			}
		}
		unknown := ""
		for _, e := range r.Unknown() {
			unknown += fmt.Sprintf("% x %s", e.Bytes, e.Note)
		}
		if unknown != tt.unknown {
			t.Errorf("%s: %q is unknown, want %q", tt.name, unknown, tt.unknown)
		}
	}
}
