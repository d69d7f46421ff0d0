package broker

import (
	"bytes"
	"testing"
)

// TestSplitPackets: wherever a stream is cut, its packets come out one by one.
func TestSplitPackets(t *testing.T) {
	small, large := []byte("\x40\x02\x00\x01"), append([]byte("\x30\xac\x02"), make([]byte, 300)...)
	want := [][]byte{small, large, {0xd0, 0}, small}
	stream := bytes.Join(want, nil)
	for step := 1; step <= len(stream); step++ {
		var got [][]byte
		var rest []byte
		for at := 0; at < len(stream); at += step {
			var whole [][]byte
			whole, rest = splitPackets(append(rest, stream[at:min(at+step, len(stream))]...))
			for _, p := range whole {
				got = append(got, bytes.Clone(p))
			}
			rest = bytes.Clone(rest)
		}
		if !bytes.Equal(bytes.Join(got, []byte("|")), bytes.Join(want, []byte("|"))) || len(rest) > 0 {
			t.Fatalf("steps of %d: %x, then %x", step, got, rest)
		}
	}
}
