package homeassistant_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/topic"
	"sluice/gateway/homeassistant"
	"sluice/mapping/point"
)

func meter(points ...homeassistant.Point) homeassistant.Device {
	return homeassistant.Device{ID: "meter", Name: "Main meter", Model: "sdm630", Points: points}
}

var (
	voltage = homeassistant.Point{ID: "voltage", Topic: "plant/meter/voltage", Kind: point.Float, Unit: "V", Every: 5 * time.Second}
	energy  = homeassistant.Point{ID: "energy", Topic: "plant/meter/energy", Kind: point.Uint, Unit: "kWh", Every: time.Minute}
	relay   = homeassistant.Point{ID: "relay", Topic: "plant/meter/relay", Kind: point.Bool}
	serial  = homeassistant.Point{ID: "serial", Topic: "plant/meter/serial", Kind: point.Text, Unit: "x"}
)

// told runs an announcer until it has said all it has to say, and again for each
// message on the broker; it returns what was said as "topic payload".
func told(t *testing.T, cfg homeassistant.Config, heard ...topic.Message) []string {
	t.Helper()
	var out []string
	synctest.Test(t, func(t *testing.T) {
		a := homeassistant.New(cfg, func(_ context.Context, m topic.Message) error {
			if m.QoS != 1 || !m.Retain {
				t.Errorf("%+v is not retained, QoS 1", m)
			}
			out = append(out, m.Topic+" "+string(m.Payload))
			return nil
		}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		synctest.Wait()
		for _, m := range heard {
			if wait, err := a.Tap(m); wait != nil || err != nil {
				t.Error("the tap wants a message")
			}
			synctest.Wait()
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return out
}

func TestAnnouncement(t *testing.T) {
	counter := energy
	counter.StateClass, counter.DeviceClass, counter.Every = "total", "none", 0
	got := told(t, homeassistant.Config{Gateway: "gw-1", Version: "1.2", Devices: []homeassistant.Device{meter(voltage, counter, relay, serial)}})
	want := `homeassistant/device/gw-1_meter/config {
	"device": {"identifiers": "gw-1_meter", "name": "Main meter", "model": "sdm630"},
	"origin": {"name": "Sluice", "sw_version": "1.2"},
	"components": {
		"binary_sensor_relay": {"platform": "binary_sensor", "unique_id": "gw-1_meter_relay", "name": "relay", "state_topic": "plant/meter/relay",
			"value_template": "{{ 'on' if value_json.value else 'off' }}",
			"availability_topic": "plant/meter/relay", "availability_template": "{{ 'offline' if value_json.quality == 'bad' else 'online' }}",
			"payload_on": "on", "payload_off": "off"},
		"sensor_energy": {"platform": "sensor", "unique_id": "gw-1_meter_energy", "name": "energy", "state_topic": "plant/meter/energy",
			"value_template": "{{ value_json.value }}",
			"availability_topic": "plant/meter/energy", "availability_template": "{{ 'offline' if value_json.quality == 'bad' else 'online' }}",
			"unit_of_measurement": "kWh", "state_class": "total"},
		"sensor_serial": {"platform": "sensor", "unique_id": "gw-1_meter_serial", "name": "serial", "state_topic": "plant/meter/serial",
			"value_template": "{{ value_json.value }}",
			"availability_topic": "plant/meter/serial", "availability_template": "{{ 'offline' if value_json.quality == 'bad' else 'online' }}"},
		"sensor_voltage": {"platform": "sensor", "unique_id": "gw-1_meter_voltage", "name": "voltage", "state_topic": "plant/meter/voltage",
			"value_template": "{{ value_json.value }}",
			"availability_topic": "plant/meter/voltage", "availability_template": "{{ 'offline' if value_json.quality == 'bad' else 'online' }}",
			"unit_of_measurement": "V", "device_class": "voltage", "state_class": "measurement", "expire_after": 30}
	},
	"qos": 1
}`
	if len(got) != 1 || compact(t, got[0]) != compact(t, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), compact(t, want))
	}
}

// compact takes the blanks out of the JSON behind a topic.
func compact(t *testing.T, message string) string {
	t.Helper()
	name, text, _ := strings.Cut(message, " ")
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatal(err, text)
	}
	return name + " " + b.String()
}

func TestEnergyIsACounter(t *testing.T) {
	got := told(t, homeassistant.Config{Gateway: "gw-1", Devices: []homeassistant.Device{meter(energy)}})
	if !strings.Contains(got[0], `"device_class":"energy","state_class":"total_increasing","expire_after":180`) {
		t.Error(got)
	}
}

// TestControls has points that can be written, and one that Home Assistant could not.
func TestControls(t *testing.T) {
	for _, tt := range []struct {
		kind    point.Kind
		control homeassistant.Control
		want    string
	}{
		{point.Bool, homeassistant.Control{}, `"platform":"switch","value_template":"{{ 'on' if value_json.value else 'off' }}","payload_on":"on","payload_off":"off","command_topic":"p/set"`},
		{point.Float, homeassistant.Control{Min: 0, Max: 9.5, Step: 0.5}, `"platform":"number","value_template":"{{ value_json.value }}","unit_of_measurement":"bar","device_class":"pressure","command_topic":"p/set","min":0,"max":9.5,"step":0.5`},
		{point.Float, homeassistant.Control{Max: 1}, `"platform":"number","value_template":"{{ value_json.value }}","unit_of_measurement":"bar","device_class":"pressure","command_topic":"p/set","min":0,"max":1,"step":0.001`},
		{point.Uint, homeassistant.Control{Max: 7}, `"platform":"number","value_template":"{{ value_json.value }}","unit_of_measurement":"bar","device_class":"pressure","command_topic":"p/set","min":0,"max":7`},
		{point.Float, homeassistant.Control{Options: []string{"2", "4.5"}}, `"platform":"select","value_template":"{{ value_json.value }}","command_topic":"p/set","options":["2","4.5"]`},
		{point.Text, homeassistant.Control{Options: []string{"off", "auto"}}, `"platform":"select","value_template":"{{ value_json.value }}","command_topic":"p/set","options":["off","auto"]`},
		{point.Text, homeassistant.Control{}, `"platform":"sensor","value_template":"{{ value_json.value }}"`},
	} {
		tt.control.Topic = "p/set"
		p := homeassistant.Point{ID: "p", Topic: "p", Kind: tt.kind, Unit: "bar", Control: &tt.control}
		got := told(t, homeassistant.Config{Gateway: "gw-1", Devices: []homeassistant.Device{meter(p)}})
		text := regexp.MustCompile(`"(unique_id|name|state_topic|availability_topic|availability_template)":"[^"]*",?`).ReplaceAllString(got[0], "")
		if !strings.Contains(strings.ReplaceAll(text, ",}", "}"), "{"+tt.want+"}") {
			t.Errorf("%s, want %s", text, tt.want)
		}
	}
}

// TestOnline makes sure that all is said again when Home Assistant is back, and
// only then.
func TestOnline(t *testing.T) {
	cfg := homeassistant.Config{Gateway: "gw-1", Devices: []homeassistant.Device{meter(voltage), {ID: "pump", Points: []homeassistant.Point{relay}}}}
	got := told(t, cfg, topic.Message{Topic: "homeassistant/status", Payload: []byte("offline")},
		topic.Message{Topic: "other/status", Payload: []byte("online")}, topic.Message{Topic: "homeassistant/status", Payload: []byte("online")})
	if len(got) != 4 || got[0] != got[2] || got[1] != got[3] {
		t.Errorf("%d messages, want two devices twice:\n%s", len(got), strings.Join(got, "\n"))
	}
}

// components are the entities in a message, those that are taken back with a
// minus.
func components(t *testing.T, message string) string {
	t.Helper()
	name, text, _ := strings.Cut(message, " ")
	if text == "" {
		return name + " gone"
	}
	var m struct {
		Components map[string]map[string]any `json:"components"`
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err, text)
	}
	var keys []string
	for key, c := range m.Components {
		if len(c) == 1 {
			key = "-" + key
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return name + " " + strings.Join(keys, " ")
}

// TestTakingBack restarts a gateway whose site loses points and devices.
func TestTakingBack(t *testing.T) {
	memory := filepath.Join(t.TempDir(), "state", "homeassistant.json")
	online := topic.Message{Topic: "homeassistant/status", Payload: []byte("online")}
	number := relay
	number.Kind = point.Uint
	pump := homeassistant.Device{ID: "pump", Points: []homeassistant.Point{relay}}
	for _, life := range []struct {
		devices []homeassistant.Device
		heard   []topic.Message
		want    []string
	}{
		{[]homeassistant.Device{meter(voltage, relay), pump}, nil, []string{"meter binary_sensor_relay sensor_voltage", "pump binary_sensor_relay"}},
		{[]homeassistant.Device{meter(voltage)}, nil, []string{"meter -binary_sensor_relay sensor_voltage", "pump gone"}},
		// Nobody has heard it yet: it is said again until Home Assistant is there.
		{[]homeassistant.Device{meter(voltage)}, []topic.Message{online, online}, []string{
			"meter -binary_sensor_relay sensor_voltage", "pump gone", "meter -binary_sensor_relay sensor_voltage", "pump gone", "meter sensor_voltage",
		}},
		{[]homeassistant.Device{meter(voltage, relay)}, nil, []string{"meter binary_sensor_relay sensor_voltage"}},
		{[]homeassistant.Device{meter(voltage, number)}, nil, []string{"meter -binary_sensor_relay sensor_relay sensor_voltage"}},
		{nil, []topic.Message{online, online}, []string{"meter gone", "meter gone"}}, // discovery was switched off
		{nil, nil, nil},
	} {
		var got []string
		for _, m := range told(t, homeassistant.Config{Gateway: "gw", Devices: life.devices, Memory: memory}, life.heard...) {
			got = append(got, strings.NewReplacer("homeassistant/device/gw_", "", "/config", "").Replace(components(t, m)))
		}
		if !slices.Equal(got, life.want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(life.want, "\n"))
		}
	}
	if _, err := os.Stat(memory); !os.IsNotExist(err) {
		t.Errorf("the memory file of a gateway that announces nothing is there: %v", err)
	}
}

// TestDamagedMemory makes sure that a bad memory file costs no announcement.
func TestDamagedMemory(t *testing.T) {
	memory := filepath.Join(t.TempDir(), "homeassistant.json")
	for _, text := range []string{"", "{", `{"version":2}`, `{"version":1,"devices":{"a":null}}`, `[]`} {
		if err := os.WriteFile(memory, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := told(t, homeassistant.Config{Gateway: "gw", Devices: []homeassistant.Device{meter(voltage)}, Memory: memory})
		if len(got) == 0 || !strings.HasPrefix(got[0], "homeassistant/device/gw_meter/config {") {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestTopics(t *testing.T) {
	a := homeassistant.New(homeassistant.Config{Gateway: "gw", Devices: []homeassistant.Device{meter(voltage)}}, nil, slog.New(slog.DiscardHandler))
	if got := a.Topics(); !slices.Equal(got, []string{"homeassistant/device/gw_meter/config"}) || a.String() != "homeassistant" {
		t.Errorf("%q of %v", got, a)
	}
}
