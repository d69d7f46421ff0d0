package gateway

import (
	"fmt"
	"testing"
	"time"

	"sluice/bridge"
	"sluice/configs"
	"sluice/gateway/config"
	"sluice/gateway/homeassistant"
	"sluice/mapping/point"
)

// TestControlled makes sure that points with commands can be written from there.
func TestControlled(t *testing.T) {
	cfg, err := config.Parse("site.yaml", []byte(`
version: 1
site: plant
buses: [{id: line, port: /dev/ttyUSB0, baud: 9600, format: 8N1}]
devices:
  - id: pump
    bus: line
    unit: 1
    points:
      - {id: on, register: coil 00001, write: {}}
      - {id: speed, register: holding 0x1, write: {min: 1, max: 5, step: 2}}
      - {id: mode, register: holding 0x2, enum: {0: "off", 1: auto}, write: {}}
      - {id: steps, register: holding 0x3, write: {enum: [2, 4]}}
      - {id: level, register: holding 0x4}
homeassistant: {discovery: true}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"on": "{plant/pump/on/set [] 0 0 0}", "speed": "{plant/pump/speed/set [] 1 5 2}", "mode": "{plant/pump/mode/set [off auto] 0 0 0}",
		"steps": "{plant/pump/steps/set [2 4] 0 0 0}", "level": "",
	}
	for _, p := range announced(cfg, Options{}).Devices[0].Points {
		got := ""
		if p.Control != nil {
			got = fmt.Sprint(*p.Control)
		}
		if got != want[p.ID] {
			t.Errorf("%s: %s, want %s", p.ID, got, want[p.ID])
		}
	}
}

// TestAnnounced makes sure that Home Assistant is told of what it can read, and
// nobody upstream.
func TestAnnounced(t *testing.T) {
	cfg, err := config.Parse("site.yaml", []byte(`
version: 1
site: plant
buses: [{id: line, port: /dev/ttyUSB0, baud: 9600, format: 8N1}]
devices:
  - id: meter
    bus: line
    unit: 1
    points:
      - {id: a, register: input 30001, unit: V, interval: 10s}
      - {id: b, register: input 30002, unit: V, device_class: none, state_class: total, publish: on-change}
      - {id: c, register: coil 00001, max_interval: 5m}
      - {id: d, register: input 30003, publish: never}
publish: {payload: value}
outputs: [{id: json, topic: "json/{device}/{point}"}]
bridges: [{id: cloud, url: "mqtt://127.0.0.1:2883", send: [{match: "#"}]}]
homeassistant: {discovery: true}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := announced(cfg, Options{StateDir: "s", Version: "1"})
	if len(got.Devices) != 1 || got.Gateway != "plant" || got.Memory != "s/homeassistant.json" {
		t.Fatalf("%+v", got)
	}
	want := []homeassistant.Point{
		{ID: "a", Topic: "json/meter/a", Kind: point.Uint, Unit: "V", Every: 10 * time.Second},
		{ID: "b", Topic: "json/meter/b", Kind: point.Uint, Unit: "V", DeviceClass: "none", StateClass: "total"},
		{ID: "c", Topic: "json/meter/c", Kind: point.Bool, Every: 5 * time.Minute},
	}
	for i, p := range got.Devices[0].Points {
		if i >= len(want) || p != want[i] {
			t.Errorf("got %+v", p)
		}
	}
	if _, ok := bridge.Route(rules(cfg.Bridges[0].Send), "homeassistant/device/plant_meter/config"); ok {
		t.Error("an announcement goes upstream")
	}
	if cfg, err = config.Parse("minimal.yaml", []byte(configs.Minimal)); err != nil || len(announced(cfg, Options{}).Devices) > 0 {
		t.Errorf("announced without being asked, %v", err)
	}
}
