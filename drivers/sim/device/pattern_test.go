package device_test

import (
	"testing"
	"time"

	"sluice/drivers/sim/device"
)

func TestPattern(t *testing.T) {
	seen := map[uint16]uint16{}
	for address := range 1 << 16 {
		v := device.Pattern(3).Value(uint16(address))
		if other, ok := seen[v]; ok {
			t.Fatalf("registers %d and %d both hold %d", other, address, v)
		}
		seen[v] = uint16(address)
		if device.Pattern(4).Value(uint16(address)) == v {
			t.Fatalf("register %d holds %d in two units", address, v)
		}
	}
	words := make([]uint16, 3)
	if err := device.Pattern(3).Read(time.Time{}, device.Holding, 65534, words); err != nil || words[1] != device.Pattern(3).Value(65535) {
		t.Errorf("%v, error %v", words, err)
	}
	if err := device.Pattern(3).Write(time.Time{}, device.Holding, 0, words); err != device.IllegalFunction {
		t.Errorf("a write: %v", err)
	}
}
