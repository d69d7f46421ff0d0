package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping/layout"
)

// Limits of the values in a site file.
const (
	minInterval = 10 * time.Millisecond
	maxInterval = 24 * time.Hour
	minTimeout  = 10 * time.Millisecond
	maxTimeout  = 30 * time.Second
	maxOffline  = 1000
	maxAbsence  = time.Hour
)

// Settings are what `defaults` and each device may set for what lies below
// them.
type Settings struct {
	Interval     time.Duration // between two polls of a point
	Timeout      time.Duration // end of a request to the first byte of its reply
	OfflineAfter int           // failed exchanges in a row until a device counts as offline
	OfflineTime  time.Duration // and no answer for so long
}

// DefaultSettings hold where a site file says nothing. Meters have been seen to
// exceed 300 ms under load, hence the timeout.
var DefaultSettings = Settings{Interval: 5 * time.Second, Timeout: 500 * time.Millisecond, OfflineAfter: 3, OfflineTime: 3 * time.Second}

// settingKeys are the keys that ReadSettings understands.
var settingKeys = []string{"interval", "timeout", "offline_after", "offline_time"}

// ReadSettings reads the settings in the mapping `defaults`.
func ReadSettings(n Node) Settings {
	return readSettings(n.As("defaults").Map(settingKeys...), DefaultSettings)
}

func readSettings(m Map, outer Settings) Settings {
	return Settings{
		Interval:     m.Get("interval").Duration(minInterval, maxInterval, outer.Interval),
		Timeout:      m.Get("timeout").Duration(minTimeout, maxTimeout, outer.Timeout),
		OfflineAfter: m.Get("offline_after").Int(1, maxOffline, outer.OfflineAfter),
		OfflineTime:  m.Get("offline_time").Duration(0, maxAbsence, outer.OfflineTime),
	}
}

// form is how values lie in registers unless a point says otherwise.
type form struct{ numbering, wordOrder, byteOrder string }

// orders are the word and byte orders; the first is the default.
var orders = []string{"big", "little"}

func readForm(m Map, outer form) form {
	choose := func(key string, words []string, outer string) string {
		if n := m.Get(key); n.Present() {
			return n.Choice(words...)
		}
		return outer
	}
	return form{
		numbering: choose("numbering", numberings, outer.numbering),
		wordOrder: choose("word_order", orders, outer.wordOrder),
		byteOrder: choose("byte_order", orders, outer.byteOrder),
	}
}

// Bus is what the devices on a bus need to know of it.
type Bus struct {
	ID      string
	AnyUnit bool // units 0 to 255, as on Modbus TCP; otherwise 1 to 247
}

// ReadDevices reads the list `devices`. The buses named must be among buses.
func ReadDevices(n Node, outer Settings, buses []Bus) []Device {
	var devices []Device
	first := map[string]bool{}
	at := map[unitOnBus]string{}
	for _, item := range n.Seq() {
		d := readDevice(item, outer, buses)
		if d.ID != "" && first[d.ID] {
			item.As(fmt.Sprintf("device %q", d.ID)).Problem("give each device an id of its own", "the id is used twice")
		}
		first[d.ID] = true
		place := unitOnBus{d.Bus, d.Unit}
		if other, taken := at[place]; taken && d.Bus != "" && d.Unit != 0 {
			item.As(fmt.Sprintf("device %q", d.ID)).Problem("two devices on one bus need different unit numbers",
				"unit %d on bus %q is device %q already", d.Unit, d.Bus, other)
		}
		at[place] = d.ID
		devices = append(devices, d)
	}
	return devices
}

type unitOnBus struct {
	bus  string
	unit modbus.UnitID
}

func readDevice(n Node, outer Settings, buses []Bus) Device {
	keys := append([]string{"id", "name", "bus", "unit", "points", "numbering", "word_order", "byte_order", "poll", "on_connect"}, settingKeys...)
	m := n.As("device").Map(keys...)
	id := m.Need("id", "main-meter").ID()
	m = m.Named(fmt.Sprintf("device %q", id))
	d := Device{ID: id, Name: m.Get("name").Text(), Bus: m.Need("bus", exampleBus(buses)).Text()}
	if d.Name == "" {
		d.Name = id
	}
	on := slices.IndexFunc(buses, func(b Bus) bool { return b.ID == d.Bus })
	if d.Bus != "" && on < 0 {
		m.Get("bus").Problem(knownBuses(d.Bus, buses), "there is no bus %q", d.Bus)
		d.Bus = ""
	}
	first, last := 1, 247
	if on >= 0 && buses[on].AnyUnit {
		first, last = 0, 255
	}
	d.Unit = modbus.UnitID(m.Need("unit", "1").Int(first, last, 0))
	s := readSettings(m, outer)
	d.Timeout, d.OfflineAfter, d.OfflineTime = s.Timeout, s.OfflineAfter, s.OfflineTime
	d.Limits = readLimits(m.Get("poll"))
	f := readForm(m, form{numberings[0], orders[0], orders[0]})
	d.OnConnect = readWrites(m.Get("on_connect"), f.numbering)
	d.Points = readPoints(m, s.Interval, f)
	return d
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

func readPoints(device Map, interval time.Duration, outer form) []Point {
	list := device.Need("points", `[{id: voltage, register: input 30001, type: float32, unit: V}]`)
	items := list.Seq()
	if list.Present() && len(items) == 0 {
		list.Problem("add at least one point", "there is nothing to read")
	}
	var points []Point
	used := map[string]bool{}
	for _, item := range items {
		p := readPoint(item.As(device.node.name+": point"), device.node.name, interval, outer)
		if p.ID != "" && used[p.ID] {
			item.As(device.node.name).Problem("give each point of a device an id of its own", "point %q is given twice", p.ID)
		}
		used[p.ID] = true
		points = append(points, p)
	}
	return points
}

func readPoint(n Node, device string, interval time.Duration, outer form) Point {
	m := n.Map("id", "register", "numbering", "type", "bit", "length", "word_order", "byte_order", "scale", "offset", "unit", "interval", "priority")
	p := Point{ID: m.Need("id", "voltage").ID()}
	m = m.Named(fmt.Sprintf("%s: point %q", device, p.ID))
	p.Unit = m.Get("unit").Text()
	p.Interval = m.Get("interval").Duration(minInterval, maxInterval, interval)
	p.Priority = m.Get("priority").Choice("normal", "high") == "high"
	f := readForm(m, outer)
	register := m.Need("register", "holding 40101")
	ok := false
	if register.Present() {
		p.Register, ok = readRegister(register, f.numbering)
	}
	p.Layout = readLayout(m, p.Register.Table, f)
	if end := int(p.Register.Address) + p.span(); ok && end > 1<<16 {
		register.Problem("check the number in the manual", "%s is %d registers long and passes the last address", p.Register, p.span())
	}
	return p
}

func readRegister(n Node, numbering string) (Register, bool) {
	r, err := ParseRegister(n.Text(), numbering)
	if err == nil {
		return r, true
	}
	what, fix := Fix(err)
	n.Problem(fix, "%s", what)
	return Register{}, false
}

// readLayout reads how the value of a point lies in its registers.
func readLayout(m Map, table Table, f form) layout.Layout {
	typ := m.Get("type")
	if table.Bits() {
		if typ.Present() && typ.Text() != "bool" {
			typ.Problem("leave the type out, or write type: bool", "a %s is one bit and cannot be %s", table, typ.Text())
		}
		for _, key := range []string{"bit", "length", "word_order", "byte_order", "scale", "offset"} {
			if n := m.Get(key); n.Present() {
				n.Problem("leave it out", "means nothing for a %s, which is one bit", table)
			}
		}
		return layout.Layout{}
	}
	cfg := layout.Config{
		Type:   layout.Uint16,
		Scale:  readScale(m.Get("scale")),
		Offset: m.Get("offset").number(0),
		Words:  m.Get("length").Int(1, layout.MaxWords, 0),
		Bit:    m.Get("bit").Int(0, 15, 0),
	}
	if f.wordOrder == "little" {
		cfg.WordOrder = layout.Little
	}
	if f.byteOrder == "little" {
		cfg.ByteOrder = layout.Little
	}
	if s := typ.Text(); s != "" {
		t, err := layout.ParseType(s)
		if err != nil {
			typ.Problem(typeFix(s), "%q is not a type", s)
			return layout.Layout{}
		}
		cfg.Type = t
	}
	if cfg.Type == layout.String && cfg.Words == 0 {
		m.Need("length", "8")
		return layout.Layout{}
	}
	if bit := m.Get("bit"); bit.Present() && cfg.Type != layout.Bool {
		bit.Problem("write type: bool, or leave it out", "only a bool is one bit, not %s", cfg.Type)
		return layout.Layout{}
	}
	l, err := layout.New(cfg)
	if err != nil {
		m.node.Problem("change the type, or leave the key out that does not go with it", "%s", err)
	}
	return l
}

func readScale(n Node) float64 {
	scale := n.number(1)
	if scale == 0 {
		n.Problem("leave it out for 1", "a scale of 0 makes every value 0")
	}
	return scale
}

func typeFix(s string) string {
	names := layout.TypeNames()
	if near := nearest(s, names); near != "" {
		return "did you mean \"" + near + "\"? The types are " + list(names)
	}
	return "the types are " + strings.Join(names, ", ")
}
