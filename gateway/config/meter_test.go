package config_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice/broker/topic"
	"sluice/configs"
	"sluice/gateway/config"
	"sluice/gateway/publish"
	"sluice/mapping"
	"sluice/mapping/point"
)

// meterRound is one round of requests to a device, answered.
type meterRound struct {
	site    *config.Config
	device  *mapping.Device
	blocks  []mapping.Block
	replies [][]byte
	points  int
	decoder *mapping.Decoder
}

// meterPoll polls all points of the template of the SDM630, every one of which is
// 230.5.
func meterPoll(tb testing.TB, publishing string) *meterRound {
	tb.Helper()
	text := strings.Replace(configs.Minimal, "devices:", publishing+"devices:\n  - {id: grid, bus: rs485, unit: 99, template: eastron-sdm630}", 1)
	c, err := config.Parse("site.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	p := &meterRound{site: c, device: &c.Devices[0]}
	p.decoder, p.points = mapping.NewDecoder(p.device), len(p.device.Points)
	p.blocks = p.device.Plan(p.device.All(), mapping.Terms{Line: c.Buses[0].Line})
	for _, b := range p.blocks {
		reply := make([]byte, 2*b.Request.Count)
		for i := 0; i+4 <= len(reply); i += 4 {
			copy(reply[i:], "\x43\x66\x80\x00")
		}
		p.replies = append(p.replies, reply)
	}
	return p
}

// decode appends the readings of the poll.
func (p *meterRound) decode(readings []point.Reading, at time.Time) []point.Reading {
	for i := range p.blocks {
		readings = p.decoder.Append(readings, &p.blocks[i], p.replies[i], at)
	}
	return readings
}

func TestMeterIsDecodedWithoutAllocating(t *testing.T) {
	p := meterPoll(t, "")
	readings := p.decode(nil, time.UnixMilli(1795211000123))
	for _, r := range readings {
		if r.Quality != point.Good || r.Value != point.FloatValue(230.5) {
			t.Errorf("%+v", r)
		}
	}
	if len(readings) != p.points || p.points < 50 {
		t.Errorf("%d readings of %d points", len(readings), p.points)
	}
	if n := testing.AllocsPerRun(100, func() { readings = p.decode(readings[:0], time.Time{}) }); n != 0 {
		t.Errorf("%v allocations for %d points", n, p.points)
	}
}

// BenchmarkMeter decodes one poll of all points of an SDM630, and in every form of
// payload renders it as well.
func BenchmarkMeter(b *testing.B) {
	b.Run("decode", func(b *testing.B) {
		p := meterPoll(b, "")
		readings := p.decode(nil, time.Time{})
		b.ReportAllocs()
		for b.Loop() {
			readings = p.decode(readings[:0], time.UnixMilli(1795211000123))
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*p.points), "ns/point")
	})
	for _, form := range []string{"json", "value", "device", "influx"} {
		b.Run(form, func(b *testing.B) { benchmarkForm(b, form) })
	}
}

func benchmarkForm(b *testing.B, form string) {
	topics := "{site}/{device}/{point}"
	if form == "device" {
		topics = "{site}/{device}"
	}
	p := meterPoll(b, fmt.Sprintf("publish: {topic: %q, payload: %s}\n", topics, form))
	cfg := publish.Config{Site: p.site.Site, Gateway: p.site.Gateway, Devices: p.site.Devices[:1], Outputs: p.site.Outputs}
	messages := make(chan struct{}, 2*p.points)
	publisher := publish.New(cfg, func(context.Context, topic.Message) error {
		messages <- struct{}{}
		return nil
	}, slog.New(slog.DiscardHandler))
	go publisher.Run(b.Context())
	each := p.points
	if form == "device" {
		each = len(cfg.Messages())
	}
	at := time.UnixMilli(1795211000123)
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Minute)
		publisher.Emit(b.Context(), p.decode(make([]point.Reading, 0, p.points), at))
		for range each {
			<-messages
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*p.points), "ns/point")
	b.ReportMetric(float64(each), "messages")
}
