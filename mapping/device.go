package mapping

import (
	"fmt"
	"slices"

	"sluice/drivers/modbus"
)

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
	keys := append([]string{"id", "name", "bus", "unit", "points", "numbering", "order", "poll", "on_connect"}, settingKeys...)
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
	f := readForm(m, form{numbering: numberings[0]})
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
