package gateway

import (
	"bytes"
	"time"

	"sluice/bridge"
	"sluice/gateway/config"
	"sluice/gateway/poll"
	"sluice/gateway/publish"
	"sluice/mapping"
	"sluice/mapping/payload"
	"sluice/mapping/point"
)

// Forecast is what running a site will come to, before anything is opened.
type Forecast struct {
	Buses   []BusForecast
	Topics  []TopicForecast
	Bridges []BridgeForecast
}

// BusForecast is what polling does to one bus.
type BusForecast struct {
	config.Bus
	poll.Prospect
}

// TopicForecast is where one point is published, and how often.
type TopicForecast struct {
	Device *mapping.Device
	Point  *mapping.Point
	Topic  string
	Bytes  int // of the payload, about
}

// BridgeForecast is what one bridge sends in a day.
type BridgeForecast struct {
	ID       string
	Topics   int
	Messages float64
	Bytes    float64 // of the messages as MQTT has them; TCP and TLS come on top
}

// Predict computes the forecast of a site.
func Predict(cfg *config.Config) Forecast {
	var f Forecast
	for _, b := range cfg.Buses {
		f.Buses = append(f.Buses, BusForecast{b, poll.Forecast(b.Line, b.Gap, onBus(cfg.Devices, b.ID))})
	}
	messages := messagesOf(cfg)
	for i := range cfg.Devices {
		d := &cfg.Devices[i]
		for _, p := range d.All() {
			f.Topics = append(f.Topics, TopicForecast{d, p, messages.TopicOf(d.ID, p.ID), payloadSize(p, messages.Payload)})
		}
	}
	for _, b := range cfg.Bridges {
		f.Bridges = append(f.Bridges, predictBridge(b, f.Topics))
	}
	return f
}

func predictBridge(c config.Bridge, topics []TopicForecast) BridgeForecast {
	f := BridgeForecast{ID: c.ID}
	send := rules(c.Send)
	for _, t := range topics {
		name, ok := bridge.Route(send, t.Topic)
		if !ok {
			continue
		}
		daily := float64(24*time.Hour) / float64(t.Point.Interval)
		f.Topics++
		f.Messages += daily
		f.Bytes += daily * float64(packetSize(name, t.Bytes))
	}
	return f
}

// packetSize is the length of a PUBLISH with QoS 1 (MQTT 3.1.1, section 3.3).
func packetSize(topic string, payload int) int {
	rest := 2 + len(topic) + 2 + payload
	length := 1
	for n := rest; n > 127; n >>= 7 {
		length++
	}
	return 1 + length + rest
}

// payloadSize is how long the payload of a point usually is: that of a value in
// which no digit is saved.
func payloadSize(p *mapping.Point, form string) int {
	r := point.Reading{Unit: p.Unit, Time: time.UnixMilli(1e12), Value: point.BoolValue(true)}
	if !p.Register.Table.Bits() {
		sample := bytes.Repeat([]byte{'A'}, 2*p.Layout.Words())
		if v, err := p.Layout.Decode(sample); err == nil {
			r.Value = v
		}
	}
	if form == "value" {
		text, _ := payload.AppendValue(nil, r)
		return len(text)
	}
	return len(payload.AppendJSON(nil, r))
}

// onBus are the devices of one bus.
func onBus(devices []mapping.Device, bus string) []mapping.Device {
	var mine []mapping.Device
	for _, d := range devices {
		if d.Bus == bus {
			mine = append(mine, d)
		}
	}
	return mine
}

func messagesOf(cfg *config.Config) publish.Config {
	return publish.Config{Topic: cfg.Publish.Topic, Site: cfg.Site, Gateway: cfg.Gateway, Payload: cfg.Publish.Payload, Retain: cfg.Publish.Retain}
}
