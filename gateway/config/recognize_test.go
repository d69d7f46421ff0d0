package config_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim/device"
	"sluice/gateway/config"
	"sluice/mapping"
)

// TestRecognize asks simulated units what scan would ask, and wants those with a
// template named right and the others not named.
func TestRecognize(t *testing.T) {
	const eastron = "holding 0x0014=41100000 input 0x0046=42480ccd input 0x0000=43668000 " // unit 9, 50 Hz, 230.5 V
	noise := &device.Memory{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = make([]uint16, 1<<16)
		for j := range noise[i] {
			noise[i][j] = uint16(r.Uint32())
		}
	}
	for _, tt := range []struct {
		name     string
		unit     device.Device
		identity string
		want     string
	}{
		{"SDM630", memoryOf(t, eastron+"input 0x0002=43668000 input 0x0004=43668000 input 0x00F8=3fa00000"), "", "eastron-sdm630"},
		{"SDM72 V2", memoryOf(t, eastron+"input 0x0002=43668000 input 0x0004=43668000 input 0x00F8=ffffffff"), "", "eastron-sdm72-v2"},
		{"SDM120", memoryOf(t, eastron), "", "eastron-sdm120 eastron-sdm230"},
		{"XY-MD02", memoryOf(t, "holding 0x0101=0009 input 0x0001=ff33 input 0x0002=01a1"), "", "xy-md02"},
		{"XY-MD02 with another number", memoryOf(t, "holding 0x0101=0008 input 0x0001=ff33 input 0x0002=01a1"), "", ""},
		{"SunSpec", memoryOf(t, "holding 0x9C40=53756e53 holding 0x9C42=0001"), "", "sunspec-inverter"},
		{"SunSpec at 50000", memoryOf(t, "holding 0xC350=53756e53"), "", "sunspec-inverter"},
		{"SunSpec at 0", memoryOf(t, "holding 0x0000=53756e53"), "", "sunspec-inverter"},
		{"B23", memoryOf(t, "holding 0x8960=42323320"), "", "abb-b23"},
		{"EM24", memoryOf(t, "input 0x000B=0047"), "", "carlo-gavazzi-em24"},
		{"EM340", memoryOf(t, "input 0x000B=0159 input 0x0000=09010000 input 0x0033=01f4"), "", "carlo-gavazzi-em340"},
		{"iEM3155", memoryOf(t, "holding 0x0031=69454d3331353500 holding 0x0C25=42480ccd"), "", "schneider-iem3155"},
		{"UMG 96RM", memoryOf(t, "holding 0x0301=004faeae"), "", "janitza-umg96rm"},
		{"Growatt", memoryOf(t, "holding 0x001E=0009 input 0x0000=0001 input 0x0025=1388"), "", "growatt"},
		{"WB-MCM8", memoryOf(t, "input 0x00CB=0043 input 0x00CC=004d input 0x00CD=0038"), "", "wirenboard-wb-mcm8"},
		{"nothing but zeros", memoryOf(t, ""), "", ""},
		{"noise", noise, "", ""},
		{"no registers", &device.Memory{}, "Acme PLC", ""},
		{"a PLC", device.NewPLC(time.Now()), "", ""},
		{"a climate sensor without its number", device.Climate{}, "", ""},
	} {
		asked := 0
		likely := mapping.Recognize(templates(t), 9, tt.identity, func(req modbus.Request) ([]byte, error) {
			asked++
			pdu := []byte{byte(req.Function), byte(req.Address >> 8), byte(req.Address), byte(req.Count >> 8), byte(req.Count)}
			reply := device.Answer(tt.unit, time.Now(), pdu)
			if reply[0] != byte(req.Function) {
				return nil, &modbus.Error{Fault: modbus.Refused, Exception: reply[1]}
			}
			return reply[2:], nil
		})
		var names []string
		for _, l := range likely {
			names = append(names, l.Template)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s is named %q, want %q", tt.name, got, tt.want)
		}
		if asked > 40 {
			t.Errorf("%s is asked %d times", tt.name, asked)
		}
	}
}

func templates(t *testing.T) []mapping.Template {
	t.Helper()
	var all []mapping.Template
	l := config.OpenLibrary(t.TempDir())
	for _, name := range l.Names() {
		if tmpl, _, _, ok := l.Describe(name); ok && len(tmpl.Probe) > 0 {
			all = append(all, tmpl)
		}
	}
	return all
}
