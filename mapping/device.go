package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/drivers/modbus"
)

// maxRest bounds `rest`.
const maxRest = 10 * time.Second

// Bus is what the devices on a bus need to know of it.
type Bus struct {
	ID       string
	AnyUnit  bool // units 0 to 255, as on Modbus TCP; otherwise 1 to 247
	Settings Settings
}

// Site is what the devices of a site refer to.
type Site struct {
	Settings  Settings // of `defaults`, for devices on a bus that does not exist
	Buses     []Bus
	Labels    map[string]string
	Templates Library
}

// inheritedKeys are what a template may say of its devices and a device may take
// over from another.
func inheritedKeys() []string {
	return append([]string{"points", "numbering", "order", "poll", "sunspec", "rest", "on_connect"}, settingKeys...)
}

func deviceKeys() []string {
	return append([]string{"id", "name", "bus", "unit", "units", "template", "like", "enabled", "labels", "override"}, inheritedKeys()...)
}

// ReadDevices reads the lists `devices` of a site's files. The buses named must
// be among the site's. A device with `units` stands for one device each; those
// that are not enabled are checked, too.
func ReadDevices(lists []Node, site Site) (enabled, disabled []Device) {
	r := &deviceReader{Site: site, byID: map[string]Node{}, taken: map[string]bool{}, at: map[unitOnBus]string{}}
	var items []Node
	for _, list := range lists {
		items = append(items, list.Seq()...)
	}
	for _, item := range items {
		if id := item.peek("id"); id.IsScalar() {
			r.byID[id.Text()] = item
		}
	}
	for _, item := range items {
		if devices, on := r.read(item); on {
			enabled = append(enabled, devices...)
		} else {
			disabled = append(disabled, devices...)
		}
	}
	return enabled, disabled
}

// deviceReader reads the devices of a site.
type deviceReader struct {
	Site
	byID  map[string]Node // for like
	taken map[string]bool // ids
	at    map[unitOnBus]string
}

type unitOnBus struct {
	bus  string
	unit modbus.UnitID
}

// read reads one item of the list: one device, or one for each of its units.
func (r *deviceReader) read(item Node) (devices []Device, enabled bool) {
	own := item.As("device").Map(deviceKeys()...)
	id := own.Need("id", "main-meter")
	own = own.Named(fmt.Sprintf("device %q", id.Text()))
	several := own.Get("units").Present()
	if several {
		r.checkPattern(own.Get("id"))
	} else {
		id.ID()
	}
	d, m := r.device(own)
	units := []modbus.UnitID{0}
	first, last := r.unitRange(d.Bus)
	if several {
		units = readUnits(m.Get("units"), first, last)
		if unit := own.Get("unit"); unit.Present() {
			unit.Problem("keep one of unit and units", "units says it already")
		}
	} else {
		units[0] = modbus.UnitID(m.Need("unit", "1").Int(first, last, 0))
	}
	enabled = m.Get("enabled").Bool(true)
	for _, u := range units {
		d := d.forUnit(u, several)
		r.claim(item, &d, enabled)
		devices = append(devices, d)
	}
	return devices, enabled
}

// device reads what all units of an item have in common.
func (r *deviceReader) device(own Map) (Device, Map) {
	c := r.compose(own, nil)
	m := c.Map
	d := Device{ID: m.Get("id").Text(), Name: m.Get("name").Text(), Bus: c.bus(exampleBus(r.Buses)), Template: c.template, Place: m.Place()}
	if d.Name == "" {
		d.Name = d.ID
	}
	outer := r.Settings
	switch on := r.bus(d.Bus); {
	case on != nil:
		outer = on.Settings
	case d.Bus != "":
		m.Get("bus").Problem(knownBuses(d.Bus, r.Buses), "there is no bus %q", d.Bus)
		d.Bus = ""
	}
	r.content(&c, &d, outer)
	own.describe()
	return d, m
}

// content reads what a template may also say.
func (r *deviceReader) content(c *composed, d *Device, outer Settings) {
	m := c.Map
	s := readSettings(m, outer)
	d.Timeout, d.OfflineAfter, d.OfflineTime = s.Timeout, s.OfflineAfter, s.OfflineTime
	d.StaleAfter, d.NoCanary = s.StaleAfter, s.NoCanary
	d.Labels = ReadLabels(m.Get("labels"), r.Labels)
	d.Limits = readLimits(m.Get("poll"))
	d.Chain = readChain(m.Get("sunspec"))
	d.Rest = m.Get("rest").Duration(0, maxRest, 0)
	f := readForm(m, form{numbering: numberings[0], most: cmp.Or(d.Limits.MaxRegisters, maxRegisters)})
	d.OnConnect = readWrites(c.onConnect.node.as(m.Get("on_connect").name), c.onConnect.numbering)
	d.Points, d.Derived = readPoints(m.node.name.String(), c.points, s, f)
	checkLengths(m.Get("poll"), d.Limits, d.Points)
	d.Chain.check(m.Get("sunspec"), d.Points)
	c.checkPoints(len(d.Points))
}

// describe records that the values of `override` have the keys of points.
func (m Map) describe() {
	m.Get("override").shape.free().borrow(m.Get("points").shape.items())
}

// forUnit is the device as it is for one unit; {unit} in its id and its name
// stands for the number where there are several.
func (d Device) forUnit(u modbus.UnitID, several bool) Device {
	d.Unit = u
	if several {
		number := fmt.Sprint(u)
		d.ID = strings.ReplaceAll(d.ID, "{unit}", number)
		d.Name = strings.ReplaceAll(d.Name, "{unit}", number)
		d.Points = slices.Clone(d.Points)
	}
	return d
}

// claim sees to it that ids differ, and units on one bus.
func (r *deviceReader) claim(item Node, d *Device, enabled bool) {
	item = item.As(fmt.Sprintf("device %q", d.ID))
	if d.ID != "" && r.taken[d.ID] {
		item.Problem("give each device an id of its own", "the id is used twice")
	}
	r.taken[d.ID] = true
	if !enabled {
		return
	}
	place := unitOnBus{d.Bus, d.Unit}
	if other, taken := r.at[place]; taken && d.Bus != "" && d.Unit != 0 {
		item.Problem("two devices on one bus need different unit numbers", "unit %d on bus %q is device %q already", d.Unit, d.Bus, other)
	}
	r.at[place] = d.ID
}

func (r *deviceReader) bus(id string) *Bus {
	for i := range r.Buses {
		if r.Buses[i].ID == id {
			return &r.Buses[i]
		}
	}
	return nil
}

// unitRange is which units a bus can have.
func (r *deviceReader) unitRange(bus string) (first, last int) {
	if b := r.bus(bus); b != nil && b.AnyUnit {
		return 0, 255
	}
	return 1, 247
}

func exampleBus(buses []Bus) string {
	if len(buses) > 0 {
		return buses[0].ID
	}
	return "rs485"
}

func knownBuses(name string, buses []Bus) string {
	ids := make([]string, len(buses))
	for i, b := range buses {
		ids[i] = b.ID
	}
	if near := nearest(name, ids); near != "" {
		return "did you mean \"" + near + "\"?"
	}
	if len(ids) == 0 {
		return "add it under buses"
	}
	return "the buses are " + list(ids)
}
