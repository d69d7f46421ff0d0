package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
)

// Limits of a bus.
const (
	maxBaud = 4_000_000
	maxGap  = time.Second
)

// reader reads one site file.
type reader struct {
	dir     string // where relative paths in the file start
	siteID  string // what {site} and {gateway} stand for
	gateway string
}

// site reads the whole file.
func (r *reader) site(root mapping.Node) *Config {
	m := root.Map("version", "site", "gateway", "group", "defaults", "buses", "devices", "publish", "broker", "bridges")
	if v := m.Need("version", fmt.Sprint(Version)); v.Present() && v.Int(0, 1000, 0) != Version {
		v.Problem(fmt.Sprintf("write version: %d", Version), "this build reads site files of version %d", Version)
	}
	c := &Config{Site: m.Need("site", "pump-house-3").ID(), Gateway: m.Get("gateway").ID(), Group: m.Get("group").ID()}
	if c.Gateway == "" {
		c.Gateway = c.Site
	}
	if c.Group == "" {
		c.Group = "default"
	}
	r.siteID, r.gateway = c.Site, c.Gateway
	c.Buses = r.buses(m.Need("buses", `[{id: rs485, port: /dev/ttyUSB0, baud: 9600, format: 8N1}]`))
	c.Devices = mapping.ReadDevices(m.Need("devices", `[{id: main-meter, bus: rs485, unit: 1, points: [...]}]`),
		mapping.ReadSettings(m.Get("defaults")), busIDs(c.Buses))
	c.Publish = r.publish(m.Get("publish"))
	c.Broker = r.broker(m.Get("broker"))
	c.Bridges = r.bridges(m.Get("bridges"))
	return c
}

func busIDs(buses []Bus) []string {
	ids := make([]string, len(buses))
	for i, b := range buses {
		ids[i] = b.ID
	}
	return ids
}

func (r *reader) buses(n mapping.Node) []Bus {
	var buses []Bus
	ports := map[string]string{}
	ids := map[string]bool{}
	for _, item := range n.Seq() {
		b := r.bus(item)
		if b.ID != "" && ids[b.ID] {
			item.As(fmt.Sprintf("bus %q", b.ID)).Problem("give each bus an id of its own", "the id is used twice")
		}
		ids[b.ID] = true
		if other, taken := ports[b.Port]; taken && b.Port != "" {
			item.As(fmt.Sprintf("bus %q", b.ID)).Problem("put the devices of one line on one bus",
				"port %s belongs to bus %q already", b.Port, other)
		}
		ports[b.Port] = b.ID
		buses = append(buses, b)
	}
	return buses
}

func (r *reader) bus(n mapping.Node) Bus {
	m := n.As("bus").Map("id", "port", "baud", "format", "gap", "echo", "rs485", "low_latency")
	b := Bus{ID: m.Need("id", "rs485").ID()}
	m = m.Named(fmt.Sprintf("bus %q", b.ID))
	b.port(m.Need("port", "/dev/ttyUSB0"))
	b.Line.Baud = m.Need("baud", "9600").Int(50, maxBaud, 9600)
	b.format(m.Need("format", "8N1"))
	b.Gap = m.Get("gap").Duration(0, maxGap, 0)
	b.Echo = m.Get("echo").Bool(false)
	b.RS485 = rs485(m.Get("rs485"))
	b.LowLatency = m.Get("low_latency").Bool(true)
	return b
}

// format reads the serial format of the bus: 8N1 where it cannot.
func (b *Bus) format(n mapping.Node) {
	b.Line.DataBits, b.Line.Parity, b.Line.StopBits = 8, modbus.NoParity, 1
	s := n.Text()
	if s == "" {
		return
	}
	bits, parity, stop, err := modbus.ParseFormat(s)
	switch {
	case err != nil:
		n.Problem("write data bits, parity (N, E or O) and stop bits, e.g. 8E1", "%q is not a serial format", s)
	case bits != 8:
		n.Problem(fmt.Sprintf("write 8%c%d", parity, stop), "Modbus RTU sends 8 data bits, not %d", bits)
	default:
		b.Line.DataBits, b.Line.Parity, b.Line.StopBits = bits, parity, stop
	}
}

func (r *reader) publish(n mapping.Node) Publish {
	m := n.As("publish").Map("topic", "payload", "retain")
	p := Publish{Topic: "{site}/{device}/{point}", Retain: m.Get("retain").Bool(true)}
	p.Payload = m.Get("payload").Choice("json", "value")
	if t := m.Get("topic"); t.Present() {
		p.Topic = t.Text()
		r.checkTopicTemplate(t, "site", "gateway", "device", "point")
		for _, needed := range []string{"{device}", "{point}"} {
			if !strings.Contains(p.Topic, needed) {
				t.Problem("put "+needed+" into the template", "without %s several points would share one topic", needed)
			}
		}
	}
	return p
}

// file returns the path that stands at n, relative ones taken from the folder
// of the site file.
func (r *reader) file(n mapping.Node) string {
	path := n.Text()
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, path)
}
