package homeassistant

import (
	"time"

	"sluice/mapping/point"
)

// announcement is the payload of a device (Home Assistant, MQTT, device discovery
// payload).
type announcement struct {
	Device     device               `json:"device"`
	Origin     origin               `json:"origin"`
	Components map[string]component `json:"components"`
	QoS        int                  `json:"qos"`
}

type device struct {
	Identifiers string `json:"identifiers"`
	Name        string `json:"name"`
	Model       string `json:"model,omitempty"`
}

type origin struct {
	Name    string `json:"name"`
	Version string `json:"sw_version,omitempty"`
}

// component is one entity; with nothing but its platform it is taken back.
type component struct {
	Platform             string `json:"platform"`
	UniqueID             string `json:"unique_id,omitempty"`
	Name                 string `json:"name,omitempty"`
	StateTopic           string `json:"state_topic,omitempty"`
	ValueTemplate        string `json:"value_template,omitempty"`
	AvailabilityTopic    string `json:"availability_topic,omitempty"`
	AvailabilityTemplate string `json:"availability_template,omitempty"`
	Unit                 string `json:"unit_of_measurement,omitempty"`
	DeviceClass          string `json:"device_class,omitempty"`
	StateClass           string `json:"state_class,omitempty"`
	PayloadOn            string `json:"payload_on,omitempty"`
	PayloadOff           string `json:"payload_off,omitempty"`
	ExpireAfter          int    `json:"expire_after,omitempty"` // seconds

	CommandTopic string   `json:"command_topic,omitempty"`
	Options      []string `json:"options,omitempty"`
	Min          *float64 `json:"min,omitempty"`
	Max          *float64 `json:"max,omitempty"`
	Step         float64  `json:"step,omitempty"` // 0: 1, as Home Assistant has it
}

// The platforms of entities that can only be read.
const (
	sensor       = "sensor"
	binarySensor = "binary_sensor"
)

// announcement describes a device; gone are entities that it had.
func (a *Announcer) announcement(d Device, gone platforms) announcement {
	out := announcement{
		Device:     device{Identifiers: a.object(d), Name: d.Name, Model: d.Model},
		Origin:     origin{Name: "Sluice", Version: a.cfg.Version},
		Components: map[string]component{},
		QoS:        1,
	}
	for key, platform := range gone {
		out.Components[key] = component{Platform: platform}
	}
	for _, p := range d.Points {
		out.Components[p.key()] = p.component(a.object(d))
	}
	return out
}

// platform is what kind of entity the point becomes.
func (p *Point) platform() string {
	if platform, ok := p.controlled(); ok {
		return platform
	}
	if p.Kind == point.Bool {
		return binarySensor
	}
	return sensor
}

// key names the entity within its device. A point that becomes another kind of
// entity gets another key, so that the old one is taken back.
func (p *Point) key() string { return p.platform() + "_" + p.ID }

func (p *Point) component(object string) component {
	c := component{
		Platform: p.platform(), UniqueID: object + "_" + p.ID, Name: p.ID,
		StateTopic: p.Topic, ValueTemplate: "{{ value_json.value }}",
		AvailabilityTopic: p.Topic, AvailabilityTemplate: "{{ 'offline' if value_json.quality == 'bad' else 'online' }}",
		DeviceClass: given(p.DeviceClass), ExpireAfter: p.expireAfter(),
	}
	switch p.Kind {
	case point.Bool:
		c.ValueTemplate, c.PayloadOn, c.PayloadOff = "{{ 'on' if value_json.value else 'off' }}", "on", "off"
	case point.Text:
	default:
		c.Unit = p.Unit
		c.DeviceClass, c.StateClass = p.classes()
	}
	if _, ok := p.controlled(); ok {
		c.control(p)
	}
	return c
}

// patience is how many messages may be missing, and shortest for how long at
// least, until an entity is unavailable: a line that is asked for too much slows
// down.
const (
	patience = 3
	shortest = 30 * time.Second
)

// expireAfter is in seconds; 0 means never, as for points that are published only
// when they change.
func (p *Point) expireAfter() int {
	if p.Every == 0 {
		return 0
	}
	return int((max(patience*p.Every, shortest) + time.Second - 1) / time.Second)
}

// classes are the device class and the state class of a number.
func (p *Point) classes() (device, state string) {
	device = p.DeviceClass
	if device == "" {
		device = classOf(p.Unit)
	}
	state = p.StateClass
	if state == "" && device == "energy" || state == "" && device == "reactive_energy" {
		state = "total_increasing"
	}
	if state == "" {
		state = "measurement"
	}
	return given(device), given(state)
}

func given(class string) string {
	if class == "none" {
		return ""
	}
	return class
}

// classOf is the device class that a unit stands for without doubt; % and ppm
// could be several.
func classOf(unit string) string {
	switch unit {
	case "V", "mV", "kV":
		return "voltage"
	case "A", "mA":
		return "current"
	case "W", "kW", "MW":
		return "power"
	case "VA", "kVA":
		return "apparent_power"
	case "var", "kvar":
		return "reactive_power"
	case "Wh", "kWh", "MWh":
		return "energy"
	case "varh", "kvarh":
		return "reactive_energy"
	case "Hz", "kHz":
		return "frequency"
	case "°C", "°F", "K":
		return "temperature"
	case "Pa", "hPa", "kPa", "mbar", "bar", "psi":
		return "pressure"
	case "lx":
		return "illuminance"
	case "W/m²":
		return "irradiance"
	case "m³/h", "L/min":
		return "volume_flow_rate"
	case "s", "min", "h", "d":
		return "duration"
	default:
		return ""
	}
}
