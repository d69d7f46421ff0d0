package config

import (
	"fmt"
	"path/filepath"

	"sluice/mapping"
)

// reader reads one site file.
type reader struct {
	*files
	path     string // of the site file
	defaults mapping.Settings
	timed    bool   // they say what the timeout is
	siteID   string // what {site} and {gateway} stand for
	gateway  string
	lan      []string // where the broker on the LAN listens
	listens  []listen
	// commandsAt is the filter of the topics of commands; empty: there are none.
	commandsAt string
	desk       bool // files that are named need not be there
}

// site reads the whole file.
func (r *reader) site(root mapping.Node) *Config {
	m := root.Map("version", "site", "gateway", "group", "labels", "include", "defaults", "buses", "templates", "devices", "publish", "outputs", "homeassistant", "broker", "bridges")
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
	r.defaults, r.timed = mapping.ReadSettings(m.Get("defaults")), m.Get("defaults").Has("timeout")
	c.Buses = r.buses(m.Need("buses", `[{id: rs485, port: /dev/ttyUSB0, baud: 9600, format: 8N1}]`))
	c.Devices, c.Disabled = r.devices(m, c.Buses)
	c.Outputs = r.outputs(m.Get("publish"), m.Get("outputs"), c.Devices)
	c.Status = r.status(m.Get("publish"), c)
	c.Commands, r.commandsAt = r.commands(m.Get("publish"), c)
	c.Broker = r.broker(m.Get("broker"))
	r.lan = c.Broker.addresses()
	r.checkListens(r.lan)
	c.Bridges = r.bridges(m.Get("bridges"))
	r.keepCommands(c.Bridges)
	c.HomeAssistant = r.homeAssistant(m.Get("homeassistant"), c)
	return c
}

// devices reads the devices of the site file and of those it includes.
func (r *reader) devices(m mapping.Map, buses []Bus) (enabled, disabled []mapping.Device) {
	parts := r.included(part{m, r.path, []string{r.path}})
	library := newLibrary(r.files)
	library.add(m.Get("templates"))
	var lists []mapping.Node
	if own := m.Get("devices"); own.Present() {
		lists = append(lists, own)
	}
	for _, p := range parts {
		library.add(p.Get("templates"))
		if list := p.Get("devices"); list.Present() {
			lists = append(lists, list)
		}
	}
	for _, name := range r.named {
		library.Template(name)
	}
	if len(lists) == 0 {
		m.Need("devices", `[{id: main-meter, bus: rs485, unit: 1, points: [...]}]`)
	}
	enabled, disabled = mapping.ReadDevices(lists, mapping.Site{
		Settings: r.defaults, Buses: mappingBuses(buses), Labels: mapping.ReadLabels(m.Get("labels").As("labels"), nil), Templates: library,
	})
	library.check()
	return enabled, disabled
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
