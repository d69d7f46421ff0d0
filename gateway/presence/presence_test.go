package presence_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sluice/broker/topic"
	"sluice/gateway/presence"
)

// state reads a message of the state topic back.
func state(t *testing.T, m topic.Message) map[string]string {
	t.Helper()
	if m.Topic != "fleet/north/gw-1/state" || m.QoS != 1 || !m.Retain {
		t.Errorf("message %+v, want it retained with QoS 1 on the state topic", m)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(m.Payload, &raw); err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for key, v := range raw {
		fields[key] = string(v)
	}
	return fields
}

func TestPresence(t *testing.T) {
	cfg := presence.Config{Group: "north", Gateway: "gw-1", Version: "1.4.0", Config: "sha256:9c1f"}
	p := presence.New(cfg)
	will, birth, farewell := state(t, p.Will(3)), state(t, p.Birth(3, "reconnect")), state(t, p.Farewell(3, "shutdown"))
	for _, tt := range []struct {
		got  map[string]string
		want map[string]string
	}{
		{will, map[string]string{"state": `"lost"`, "conn": "3"}},
		{birth, map[string]string{"state": `"online"`, "conn": "3", "reason": `"reconnect"`, "version": `"1.4.0"`, "config": `"sha256:9c1f"`, "proto": "1"}},
		{farewell, map[string]string{"state": `"offline"`, "conn": "3", "reason": `"shutdown"`, "proto": "1"}},
	} {
		for key, want := range tt.want {
			if tt.got[key] != want {
				t.Errorf("%s is %s, want %s, in %v", key, tt.got[key], want, tt.got)
			}
		}
	}
	if will["session"] == "" || will["session"] != birth["session"] || birth["session"] != farewell["session"] {
		t.Errorf("sessions %s, %s, %s, want one and the same", will["session"], birth["session"], farewell["session"])
	}
	if other := state(t, presence.New(cfg).Will(3)); other["session"] == will["session"] {
		t.Error("two process lives share a session id")
	}
	since, err := time.Parse(`"2006-01-02T15:04:05.000Z"`, birth["since"])
	if err != nil || time.Since(since).Abs() > time.Minute {
		t.Errorf("since %s: %v", birth["since"], err)
	}
}

func TestLost(t *testing.T) {
	p := presence.New(presence.Config{Group: "north", Gateway: "gw-1"})
	from := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		from, to time.Time
		want     string
	}{
		{from, from.Add(time.Hour), `"lane":"bulk","messages":7,"from":"2026-11-21T03:00:00.000Z","to":"2026-11-21T04:00:00.000Z"`},
		{time.Time{}, time.Time{}, `"lane":"bulk","messages":7,"at"`},
	} {
		m := p.Lost("bulk", 7, tt.from, tt.to)
		if m.Topic != "fleet/north/gw-1/lost" || m.Retain || m.QoS != 1 || !strings.Contains(string(m.Payload), tt.want) {
			t.Errorf("%s %s, want %s", m.Topic, m.Payload, tt.want)
		}
	}
}
