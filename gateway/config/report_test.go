package config_test

import (
	"fmt"
	"testing"
	"time"

	"sluice/gateway/config"
	"sluice/mapping"
)

// TestReport makes sure that what is worth a message is inherited from defaults
// to bus, device and point, and that the inner word counts.
func TestReport(t *testing.T) {
	c, err := config.Parse("site.yaml", []byte(`
version: 1
site: plant
defaults: {max_interval: 1h}
buses: [{id: line, port: /dev/ttyUSB0, baud: 9600, format: 8N1, min_interval: 2s}]
devices:
  - id: meter
    bus: line
    unit: 1
    deadband: 1%
    points:
      - {id: a, register: input 1, numbering: zero-based}
      - {id: b, register: input 2, numbering: zero-based, deadband: 0.5, max_interval: 10s}
      - {id: c, register: input 3, numbering: zero-based, publish: always}
      - {id: d, register: input 4, numbering: zero-based, publish: never}
      - {id: e, register: input 5, numbering: zero-based, swinging_door: 2, min_interval: 0s}
      - {id: f, register: input 6, numbering: zero-based, swinging_door: 2, deadband: 0}
      - {id: g, register: coil 7, numbering: zero-based}
`))
	if err != nil {
		t.Fatal(err)
	}
	inherited := mapping.Report{When: mapping.OnChange, Deadband: 1, Percent: true, MinInterval: 2 * time.Second, MaxInterval: time.Hour}
	own, always, never, swing := inherited, inherited, inherited, inherited
	own.Deadband, own.Percent, own.MaxInterval = 0.5, false, 10*time.Second
	always.When, always.Deadband, always.Percent = mapping.Always, 0, false
	never.When = mapping.Never
	swing.Swing, swing.Deadband, swing.Percent = 2, 0, false
	still := swing
	still.MinInterval = 0
	for i, want := range []mapping.Report{inherited, own, always, never, still, swing, inherited} {
		if p := c.Devices[0].Points[i]; p.Report != want {
			t.Errorf("%s: got %+v, want %+v", p.ID, p.Report, want)
		}
	}
	if p := c.Devices[0].Points[1]; fmt.Sprint(p.Place) != "site.yaml:13" {
		t.Errorf("point b is at %s", p.Place)
	}
}
