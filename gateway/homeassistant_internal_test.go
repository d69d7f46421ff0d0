package gateway

import (
	"testing"
	"time"

	"sluice/bridge"
	"sluice/configs"
	"sluice/gateway/config"
	"sluice/gateway/homeassistant"
	"sluice/mapping/point"
)

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
