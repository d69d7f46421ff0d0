package presence_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/topic"
	"sluice/gateway/presence"
)

// report returns what a reporter says in a minute: "at topic payload".
func report(t *testing.T, devices func(since time.Duration) []presence.Device, bridges func(since time.Duration) []presence.Bridge) []string {
	var said []string
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := presence.NewReporter(presence.ReporterConfig{
			Devices: func() []presence.Device { return devices(time.Since(begin)) },
			Bridges: func() []presence.Bridge { return bridges(time.Since(begin)) },
			Status:  []string{"plant/meter/status", "plant/pump/status"},
			Publish: func(_ context.Context, m topic.Message) error {
				if !m.Retain || m.QoS != 1 {
					t.Errorf("%s: QoS %d, retain %t", m.Topic, m.QoS, m.Retain)
				}
				said = append(said, fmt.Sprintf("%v %s %s", time.Since(begin), m.Topic, m.Payload))
				return nil
			},
		}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Second/2)
		defer cancel()
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return said
}

func TestDevicesAreReported(t *testing.T) {
	since := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	said := report(t, func(at time.Duration) []presence.Device {
		meter := presence.Device{ID: "meter", Bus: "line", State: "unknown"}
		switch {
		case at >= 30*time.Second:
			meter.State, meter.Error, meter.ErrorAt, meter.Failures = "offline", "timeout", since.Add(time.Hour), uint64(at/time.Second)
		case at >= 12*time.Second:
			meter.State, meter.Failing, meter.Error, meter.ErrorAt = "degraded", int(at/time.Second), "exception 2", since
		case at >= 2*time.Second:
			meter.State, meter.Since, meter.LastGood, meter.Answers = "online", since, since, uint64(at/time.Second)
			meter.Latency, meter.Error = 12340*time.Microsecond, "timeout"
		}
		return []presence.Device{meter, {ID: "pump", Bus: "line", State: "disabled"}}
	}, func(time.Duration) []presence.Bridge { return nil })
	want := []string{
		`0s plant/meter/status {"state":"unknown","bus":"line","answers":0,"failures":0}`,
		`0s plant/pump/status {"state":"disabled","bus":"line","answers":0,"failures":0}`,
		`2s plant/meter/status {"state":"online","since":"2026-11-21T03:00:00.000Z","bus":"line","last_good":"2026-11-21T03:00:00.000Z","answers":2,"failures":0,"latency_ms":12.3}`,
		`12s plant/meter/status {"state":"degraded","error":"exception 2","error_at":"2026-11-21T03:00:00.000Z","failing":12,"bus":"line","answers":0,"failures":0}`,
		`22s plant/meter/status {"state":"degraded","error":"exception 2","error_at":"2026-11-21T03:00:00.000Z","failing":22,"bus":"line","answers":0,"failures":0}`,
		`30s plant/meter/status {"state":"offline","error":"timeout","error_at":"2026-11-21T04:00:00.000Z","bus":"line","answers":0,"failures":30}`,
		`1m0.5s plant/meter/status {"state":"offline","since":"2000-01-01T00:01:00.500Z","error":"gateway stopped","error_at":"2000-01-01T00:01:00.500Z","bus":"line","answers":0,"failures":60}`,
	}
	if !slices.Equal(said, want) {
		t.Errorf("said:\n%s\nwant:\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
}

func TestBridgesAreReported(t *testing.T) {
	since := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	said := report(t, func(time.Duration) []presence.Device { return nil }, func(at time.Duration) []presence.Bridge {
		if at < 15*time.Second {
			return []presence.Bridge{{ID: "cloud", Since: since, Messages: 1 + uint64(at/time.Second), Bytes: 100, Oldest: since, LastError: "no route"}}
		}
		return []presence.Bridge{{ID: "cloud", Connected: true, Since: since}}
	})
	const away = `"connected":false,"since":"2026-11-21T03:00:00.000Z","queue_messages":%d,"queue_bytes":100,"oldest_ts":1795230000000,"last_error":"no route"}`
	want := []string{
		fmt.Sprintf(`0s gateway/bridge/cloud/state {`+away, 1), `0s $SYS/broker/connection/cloud/state 0`,
		fmt.Sprintf(`10s gateway/bridge/cloud/state {`+away, 11),
		`15s gateway/bridge/cloud/state {"connected":true,"since":"2026-11-21T03:00:00.000Z","queue_messages":0,"queue_bytes":0}`,
		`15s $SYS/broker/connection/cloud/state 1`,
	}
	if !slices.Equal(said, want) {
		t.Errorf("said:\n%s\nwant:\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
}
