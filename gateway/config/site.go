package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"sluice/mapping"
)

// reader reads one site file.
type reader struct {
	dir     string // where relative paths in the file start
	siteID  string // what {site} and {gateway} stand for
	gateway string
	listens []listen
	desk    bool // files that are named need not be there
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
		mapping.ReadSettings(m.Get("defaults")), mappingBuses(c.Buses))
	c.Publish = r.publish(m.Get("publish"))
	c.Broker = r.broker(m.Get("broker"))
	r.checkListens(c.Broker.Listen)
	c.Bridges = r.bridges(m.Get("bridges"))
	return c
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
