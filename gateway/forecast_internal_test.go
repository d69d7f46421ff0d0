package gateway

import (
	"strings"
	"testing"
	"time"

	"sluice/bridge"
	"sluice/configs"
	"sluice/gateway/config"
	"sluice/mapping/payload"
	"sluice/mapping/point"
)

func TestPredict(t *testing.T) {
	points := `points: [{id: voltage, register: input 30001, type: float32, unit: V}, {id: power, register: input 30053, type: float32, unit: W}]`
	cfg, err := config.Parse("minimal.yaml", []byte(strings.Replace(configs.Minimal, "template: eastron-sdm630", points, 1)+`
bridges:
  - {id: cloud, url: "mqtt://127.0.0.2", send: [{match: "+/+/voltage", to: "acme/{topic}"}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	f := Predict(cfg)
	if len(f.Buses) != 1 || len(f.Buses[0].Devices[0].Blocks) != 2 || f.Buses[0].Load < 0.017 || f.Buses[0].Load > 0.019 {
		t.Errorf("buses %+v", f.Buses)
	}
	if len(f.Topics) != 2 || f.Topics[1].Topic != "pump-house-3/main-meter/power" {
		t.Errorf("topics %+v", f.Topics)
	}
	b := f.Bridges[0]
	name, _ := bridge.Route(rules(cfg.Bridges[0].Send), "pump-house-3/main-meter/voltage")
	if size := float64(2 + 2 + len(name) + 2 + f.Topics[0].Bytes); b.Topics != 1 || b.Messages != 86400/5 || b.Bytes != size*b.Messages {
		t.Errorf("bridge %+v, want %v bytes for each message", b, size)
	}
}

func TestPayloadSize(t *testing.T) {
	cfg, err := config.Parse("minimal.yaml", []byte(configs.Minimal))
	if err != nil {
		t.Fatal(err)
	}
	usual := payload.AppendJSON(nil, point.Reading{Unit: "V", Value: point.FloatValue(230.51234), Time: time.UnixMilli(1795211000123)})
	if got := topicsOf(messagesOf(cfg))[0].Bytes; got < len(usual)-8 || got > len(usual)+8 {
		t.Errorf("%d bytes, a usual payload has %d", got, len(usual))
	}
}
