package poll_test

import (
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/gateway/poll"
	"sluice/mapping"
	"sluice/mapping/layout"
)

// sdm630 is the list of values that meter daemons read from an Eastron SDM630:
// the phases every second, energy every minute.
func sdm630() mapping.Device {
	float, err := layout.New(layout.Config{Type: layout.Float32})
	if err != nil {
		panic(err)
	}
	d := mapping.Device{ID: "meter", Unit: 1, Limits: mapping.Limits{MaxRegisters: 80}}
	for _, r := range []struct {
		first, last int
		every       time.Duration
	}{{0x00, 0x22, time.Second}, {0x34, 0x34, time.Second}, {0x38, 0x38, time.Second}, {0x3C, 0x3E, time.Second}, {0x42, 0x42, time.Second},
		{0x46, 0x46, time.Second}, {0x48, 0x4E, time.Minute}, {0xEA, 0xEE, time.Minute}, {0xF8, 0xF8, time.Minute}, {0x156, 0x17C, time.Minute}} {
		for a := r.first; a <= r.last; a += 2 {
			d.Points = append(d.Points, mapping.Point{Register: mapping.Register{Table: mapping.Input, Address: uint16(a)}, Layout: float, Interval: r.every})
		}
	}
	return d
}

func TestForecast(t *testing.T) {
	fast := modbus.Line{Baud: 115200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}
	for _, tt := range []struct {
		line     modbus.Line
		joint    float64 // with points of both periods in one request
		everyOne float64 // with everything every second
	}{{line, 0.195, 0.407}, {fast, 0.039, 0.099}} {
		p := poll.Forecast(tt.line, 0, []mapping.Device{sdm630()})
		hurried := sdm630()
		for i := range hurried.Points {
			hurried.Points[i].Interval = time.Second
		}
		all := poll.Forecast(tt.line, 0, []mapping.Device{hurried})
		t.Logf("SDM630 at %d: %.1f %% of the line; with every point every second %.1f %%", tt.line.Baud, 100*p.Load, 100*all.Load)
		if p.Load < tt.joint-0.001 || p.Load > tt.joint+0.001 || all.Load < tt.everyOne-0.002 || all.Load > tt.everyOne+0.002 {
			t.Errorf("%d: %.1f %% and %.1f %%, want %.1f %% and %.1f %%", tt.line.Baud, 100*p.Load, 100*all.Load, 100*tt.joint, 100*tt.everyOne)
		}
		if p.Stretch() != 1 || p.High != 0 || len(p.Devices[0].Blocks) != 3 {
			t.Errorf("prospect %+v", p)
		}
	}
}

func TestForecastOfTooMuch(t *testing.T) {
	devices := tenRegisters(24, time.Second)
	for i := range 2 {
		devices[i].Points[0].Interval, devices[i].Points[0].Priority = 500*ms, true
	}
	devices[23].Points[0].Interval = 24 * time.Hour
	p := poll.Forecast(line, 0, devices)
	const once = 0.0617 // of a second, with the latency that is assumed
	if all, high := 25*once, 4*once; p.Load < all-0.01 || p.Load > all+0.01 || p.High < high-0.01 || p.High > high+0.01 {
		t.Errorf("load %.3f, high %.3f; want %.3f and %.3f", p.Load, p.High, all, high)
	}
	if s := p.Stretch(); s < 1.8 || s > 1.9 {
		t.Errorf("stretched by %.2f", s)
	}
}
