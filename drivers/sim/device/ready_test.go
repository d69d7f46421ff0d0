package device_test

import (
	"math"
	"testing"
	"time"

	"sluice/drivers/sim/device"
)

// read returns neighbours, or fails the test.
func read(t *testing.T, d device.Device, at time.Time, table device.Table, address, n uint16) []uint16 {
	t.Helper()
	words := make([]uint16, n)
	if err := d.Read(at, table, address, words); err != nil {
		t.Fatalf("read %d of table %d at %d: %v", n, table, address, err)
	}
	return words
}

// float reads a meter value.
func float(t *testing.T, d device.Device, at time.Time, address uint16) float64 {
	t.Helper()
	w := read(t, d, at, device.Input, address, 2)
	return float64(math.Float32frombits(uint32(w[0])<<16 | uint32(w[1])))
}

func TestMeterIsPlausible(t *testing.T) {
	installed := noon.AddDate(0, -3, 0)
	m := device.NewMeter(installed)
	first, sum := float(t, m, noon, device.MeterImport), 0.0
	energy := first
	for i := range 24 * 60 {
		at := noon.Add(time.Duration(i) * time.Minute)
		total := 0.0
		for phase := range uint16(3) {
			volts := float(t, m, at, device.MeterVoltage+2*phase)
			amps := float(t, m, at, device.MeterCurrent+2*phase)
			watts := float(t, m, at, device.MeterPower+2*phase)
			va := float(t, m, at, device.MeterApparent+2*phase)
			vars := float(t, m, at, device.MeterReactive+2*phase)
			if volts < 225 || volts > 237 || watts <= 0 || watts > 4000 {
				t.Fatalf("%v: %.1f V, %.0f W", at, volts, watts)
			}
			if math.Abs(volts*amps-va) > 0.01 || math.Abs(math.Hypot(watts, vars)-va) > 0.01 {
				t.Fatalf("%v: %.1f V × %.2f A = %.1f VA of %.1f W and %.1f var", at, volts, amps, va, watts, vars)
			}
			total += watts
		}
		if got := float(t, m, at, device.MeterTotalPower); math.Abs(got-total) > 0.01 {
			t.Fatalf("%v: total %.1f W, phases %.1f W", at, got, total)
		}
		if hz := float(t, m, at, device.MeterFrequency); hz < 49.9 || hz > 50.1 {
			t.Fatalf("%v: %.3f Hz", at, hz)
		}
		sum += total / 60 / 1000
		next := float(t, m, at.Add(time.Minute), device.MeterImport)
		if next <= energy {
			t.Fatalf("%v: energy went from %.3f to %.3f kWh", at, energy, next)
		}
		energy = next
	}
	if gained := energy - first; math.Abs(gained-sum) > 0.005*sum {
		t.Errorf("%.2f kWh in a day, the power says %.2f", gained, sum)
	}
	if mean := energy * 1000 / noon.AddDate(0, 0, 1).Sub(installed).Hours(); mean < 4500 || mean > 4760 {
		t.Errorf("mean power since the installation is %.0f W", mean)
	}
}

func TestMeterRefuses(t *testing.T) {
	m := device.NewMeter(noon)
	for _, tt := range []struct {
		table      device.Table
		address, n uint16
		want       error
	}{
		{device.Input, 0x0000, 80, nil},
		{device.Input, 0x0000, 81, device.IllegalValue},
		{device.Input, 0x0052, 2, nil},
		{device.Input, 0x0052, 4, device.IllegalAddress},
		{device.Input, 0x0100, 2, device.IllegalAddress},
		{device.Input, 0x0156, 4, nil},
		{device.Input, 0x0156, 5, device.IllegalAddress},
		{device.Input, 0xFFFF, 1, device.IllegalAddress},
		{device.Holding, 0, 2, device.IllegalFunction},
	} {
		if err := m.Read(noon, tt.table, tt.address, make([]uint16, tt.n)); err != tt.want {
			t.Errorf("table %d, %d at %#x: %v, want %v", tt.table, tt.n, tt.address, err, tt.want)
		}
	}
	if err := m.Write(noon, device.Holding, 0, []uint16{1}); err != device.IllegalFunction {
		t.Errorf("write: %v", err)
	}
}

func TestMeterSecondHalfOfValue(t *testing.T) {
	m := device.NewMeter(noon)
	pair := read(t, m, noon, device.Input, device.MeterFrequency, 2)
	if low := read(t, m, noon, device.Input, device.MeterFrequency+1, 1); low[0] != pair[1] {
		t.Errorf("got %04x, want %04x", low[0], pair[1])
	}
}

func TestClimateIsPlausible(t *testing.T) {
	for i := range 24 * 60 {
		at := noon.Add(time.Duration(i) * time.Minute)
		words := read(t, device.Climate{}, at, device.Input, device.ClimateTemperature, 2)
		if c := int16(words[0]); c < 115 || c > 255 {
			t.Fatalf("%v: %d tenths of a degree", at, c)
		}
		if rh := words[1]; rh < 400 || rh > 700 {
			t.Fatalf("%v: %d tenths of a per cent", at, rh)
		}
	}
	for _, tt := range []struct{ address, n uint16 }{{0, 1}, {0, 2}, {2, 2}, {3, 1}} {
		if err := (device.Climate{}).Read(noon, device.Input, tt.address, make([]uint16, tt.n)); err != device.IllegalAddress {
			t.Errorf("%d at %d: %v", tt.n, tt.address, err)
		}
	}
}

func TestSignalsRepeat(t *testing.T) {
	a, b := device.NewMeter(noon), device.NewMeter(noon)
	later := noon.Add(time.Hour)
	if x, y := float(t, a, later, device.MeterTotalPower), float(t, b, later, device.MeterTotalPower); x != y {
		t.Errorf("%v and %v", x, y)
	}
	if x, y := float(t, a, noon, device.MeterTotalPower), float(t, a, noon.Add(time.Second), device.MeterTotalPower); x == y {
		t.Error("the power does not move within a second")
	}
}

func TestPLCCounterTellsReadsApart(t *testing.T) {
	p := device.NewPLC(noon)
	for want := uint16(1); want <= 3; want++ {
		if got := read(t, p, noon, device.Holding, device.PLCCounter, 2); got[0] != 0 || got[1] != want {
			t.Errorf("got %v, want 0 %d", got, want)
		}
		read(t, p, noon, device.Holding, device.PLCLevel, 2) // does not count
	}
	if got := read(t, p, noon, device.Holding, device.PLCLevel, 4); got[3] != 4 {
		t.Errorf("after a read of everything: %v", got)
	}
}

func TestPLCPumpsAroundSetpoint(t *testing.T) {
	p := device.NewPLC(noon)
	// From 1500 mm: full after 200 mm at 12 mm/s, then 400 mm down at 18 mm/s.
	up, down := 200*time.Second/12, 400*time.Second/18
	for _, tt := range []struct {
		after time.Duration
		level uint16
		pump  uint16
	}{
		{0, 1500, 0},
		{10 * time.Second, 1620, 0},
		{up + time.Second, 1682, 1},
		{up + down - time.Second, 1318, 1},
		{up + down + time.Second, 1312, 0},
		{up + 1000*(down+2*up) + time.Second, 1682, 1},
	} {
		at := noon.Add(tt.after)
		level := read(t, p, at, device.Holding, device.PLCLevel, 1)[0]
		if level+1 < tt.level || level > tt.level+1 {
			t.Errorf("after %v: level %d, want %d", tt.after, level, tt.level)
		}
		if pump := read(t, p, at, device.Coil, device.PLCPump, 1)[0]; pump != tt.pump {
			t.Errorf("after %v: pump %d, want %d", tt.after, pump, tt.pump)
		}
		inputs := read(t, p, at, device.Discrete, 0, 8)
		if inputs[device.PLCFeedback] != tt.pump || inputs[device.PLCHigh] != word(level > 1600) || inputs[device.PLCLow] != word(level < 1400) {
			t.Errorf("after %v, %d mm: inputs %v", tt.after, level, inputs)
		}
	}
}

func TestPLCObeysWrites(t *testing.T) {
	p := device.NewPLC(noon)
	write := func(table device.Table, address uint16, words ...uint16) error {
		return p.Write(noon, table, address, words)
	}
	for _, err := range []error{write(device.Coil, 0, 1, 0, 1), write(device.Holding, device.PLCSetpoint, 2000)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if coils := read(t, p, noon, device.Coil, 0, 8); coils[0] != 1 || coils[1] != 0 || coils[2] != 1 {
		t.Errorf("coils %v", coils)
	}
	if level := read(t, p, noon.Add(10*time.Second), device.Holding, device.PLCLevel, 1)[0]; level != 1320 {
		t.Errorf("level %d after 10 s of pumping, want 1320", level)
	}
	for _, tt := range []struct {
		table   device.Table
		address uint16
		words   []uint16
		want    error
	}{
		{device.Coil, 7, []uint16{1, 1}, device.IllegalAddress},
		{device.Holding, device.PLCLevel, []uint16{1}, device.IllegalAddress},
		{device.Holding, device.PLCSetpoint, []uint16{1000, 0}, device.IllegalAddress},
		{device.Holding, device.PLCSetpoint, []uint16{499}, device.IllegalValue},
		{device.Holding, device.PLCSetpoint, []uint16{2501}, device.IllegalValue},
	} {
		if err := p.Write(noon, tt.table, tt.address, tt.words); err != tt.want {
			t.Errorf("write %v at %d: %v, want %v", tt.words, tt.address, err, tt.want)
		}
	}
}

func TestPLCTankNeitherOverflowsNorRunsDry(t *testing.T) {
	p := device.NewPLC(noon)
	at := noon
	force := func(pump uint16) {
		if err := p.Write(at, device.Coil, device.PLCPump, []uint16{pump}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 500 { // somebody who always wants the opposite
		at = at.Add(7 * time.Second)
		force(uint16(i / 100 % 2))
		level := read(t, p, at, device.Holding, device.PLCLevel, 1)[0]
		if level > 3000 {
			t.Fatalf("level %d", level)
		}
	}
}

func word(b bool) uint16 {
	if b {
		return 1
	}
	return 0
}
