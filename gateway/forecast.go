package gateway

import (
	"bytes"
	"slices"
	"time"

	"sluice/bridge"
	"sluice/gateway/config"
	"sluice/gateway/poll"
	"sluice/gateway/publish"
	"sluice/mapping"
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

// TopicForecast is what is published on one topic at one interval, and how often
// at most: what has not changed may be left out.
type TopicForecast struct {
	Device   *mapping.Device
	Points   []*mapping.Point // in each message
	Topic    string
	Retain   bool
	Interval time.Duration
	Bytes    int // of the payload, about
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
	f.Topics = topicsOf(messagesOf(cfg))
	for _, b := range cfg.Bridges {
		f.Bridges = append(f.Bridges, predictBridge(b, f.Topics))
	}
	return f
}

// Of is the part of the forecast that is about one device: its bus with all its
// load, the requests to it, its topics.
func (f Forecast) Of(device string) Forecast {
	var part Forecast
	for _, b := range f.Buses {
		of := func(d poll.DeviceProspect) bool { return d.ID == device }
		if i := slices.IndexFunc(b.Devices, of); i >= 0 {
			b.Devices = b.Devices[i : i+1]
			part.Buses = append(part.Buses, b)
		}
	}
	for _, t := range f.Topics {
		if t.Device.ID == device {
			part.Topics = append(part.Topics, t)
		}
	}
	return part
}

func predictBridge(c config.Bridge, topics []TopicForecast) BridgeForecast {
	f := BridgeForecast{ID: c.ID}
	send := rules(c.Send)
	for _, t := range topics {
		name, ok := bridge.Route(send, t.Topic)
		if !ok {
			continue
		}
		daily := float64(24*time.Hour) / float64(t.Interval)
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

// topicsOf are the topics of all outputs, in the order of the site file.
func topicsOf(c publish.Config) []TopicForecast {
	var topics []TopicForecast
	for _, m := range c.Messages() {
		topics = append(topics, TopicForecast{m.Device, m.Points, m.Topic, m.Output.Retain, m.Interval, payloadSize(c, m)})
	}
	return topics
}

// payloadSize is how long a payload usually is: that of values in which no digit
// is saved.
func payloadSize(c publish.Config, m publish.Regular) int {
	readings := make([]point.Reading, len(m.Points))
	for i, p := range m.Points {
		readings[i] = point.Reading{Device: m.Device.ID, Point: p.ID, Unit: p.Unit, Time: time.UnixMilli(1e12), Value: usual(p)}
	}
	text, _, _ := c.Writer(m.Output, m.Device, m.Points[0]).Append(nil, readings)
	return len(text)
}

// usual is a value of a point that is as long as most are.
func usual(p *mapping.Point) point.Value {
	switch kind := p.Kind(); {
	case p.Names != nil:
		return point.TextValue(p.Names.Names()[0])
	case p.Formula != nil && kind == point.Float:
		return point.FloatValue(1234.5678)
	case p.Formula == nil && kind != point.Bool:
		if v, err := p.Layout.Decode(bytes.Repeat([]byte{'A'}, 2*p.Layout.Words())); err == nil {
			return v
		}
	}
	return point.BoolValue(true)
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
	return publish.Config{Site: cfg.Site, Gateway: cfg.Gateway, Devices: cfg.Devices, Outputs: cfg.Outputs}
}
