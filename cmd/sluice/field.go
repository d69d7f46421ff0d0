package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice/drivers/modbus"
	"sluice/gateway/config"
	"sluice/mapping"
	"sluice/mapping/layout"
)

// target is a device on a line, and the points of it that are meant.
type target struct {
	bus     config.Bus
	device  mapping.Device   // its id is empty when the command line describes it
	decoder *mapping.Decoder // remembers the rounds before
}

// String says where the device is, for the first line of a report.
func (g target) String() string {
	where := fmt.Sprintf("unit %d on %s (%s)", g.device.Unit, place(g.bus), manner(g.bus))
	if g.device.ID == "" {
		return where
	}
	return g.device.ID + ", " + where
}

// targetFlags are the flags that describe a target. A word with a slash in it is
// a port, any other the id of a device in the site file.
type targetFlags struct {
	*flag.FlagSet
	reach            reach
	site, port       *string
	line             placeFlags
	unit             *uint
	timeout          *time.Duration
	typ, order, bits *string
	length           *int
}

func newTargetFlags(name string) *targetFlags {
	f := &targetFlags{FlagSet: flags(name)}
	f.line.add(f.FlagSet)
	f.line.addEcho(f.FlagSet)
	f.unit = f.Uint("unit", 1, "")
	f.timeout = f.Duration("timeout", mapping.DefaultSettings.Timeout, "")
	f.typ = f.String("type", "", "")
	f.order = f.String("order", "", "")
	f.bits = f.String("bits", "", "")
	f.length = f.Int("length", 0, "")
	f.reach.add(f.FlagSet)
	return f
}

// addSite adds the flags of commands that also take a device of a site file.
func (f *targetFlags) addSite() {
	f.site = f.String("c", defaultSite, "")
	f.port = f.String("port", "", "")
}

// check refuses flags that mean nothing for what is named.
func (f *targetFlags) check(named string) error {
	onPort := strings.Contains(named, "/")
	ofSite, ofBoth := []string{"c", "port"}, []string{"yes", "trace", "socket"}
	var err error
	f.Visit(func(g *flag.Flag) {
		switch {
		case onPort && slices.Contains(ofSite, g.Name):
			err = usage("%s is a port, for which -%s means nothing", "leave it out, or name a device of a site file instead of a port", named, g.Name)
		case !onPort && !slices.Contains(ofSite, g.Name) && !slices.Contains(ofBoth, g.Name):
			err = usage("the site file says all about %q, so -%s means nothing", "leave it out, or name a port such as /dev/ttyUSB0", named, g.Name)
		}
	})
	return err
}

// onPort is the target that the flags describe: count values from a register on.
func (f *targetFlags) onPort(port, register string, count int) (target, error) {
	b, err := f.line.bus(port)
	if err != nil {
		return target{}, err
	}
	if first, last := unitRange(b.Framing); *f.unit < first || *f.unit > last {
		return target{}, usage("-unit: %d is no unit number", fmt.Sprintf("units are %d to %d", first, last), *f.unit)
	}
	if *f.timeout < 10*time.Millisecond || *f.timeout > 30*time.Second {
		return target{}, usage("-timeout: %v is not possible", "write 10ms to 30s", *f.timeout)
	}
	points, err := f.points(register, count)
	return target{
		bus:    b,
		device: mapping.Device{Unit: modbus.UnitID(*f.unit), Timeout: *f.timeout, Points: points},
	}, err
}

// points are count values of one layout, one behind the other, named by where
// they lie.
func (f *targetFlags) points(register string, count int) ([]mapping.Point, error) {
	first, err := mapping.ParseRegister(register, "modicon")
	if err != nil {
		what, fix := mapping.Fix(err)
		return nil, usage("%s", fix, what)
	}
	l, span, err := f.layout(first.Table)
	if err != nil {
		return nil, err
	}
	if end := int(first.Address) + count*span; count < 1 || end > 1<<16 {
		return nil, usage("%d values from %s on do not fit", "a device has 65536 registers in each table", count, first)
	}
	points := make([]mapping.Point, count)
	for i := range points {
		r := mapping.Register{Table: first.Table, Address: first.Address + uint16(i*span)}
		points[i] = mapping.Point{ID: r.String(), Register: r, Layout: l}
	}
	return points, nil
}

// layout is how the flags say a value lies in a table, and what it spans there.
func (f *targetFlags) layout(table mapping.Table) (l layout.Layout, span int, err error) {
	if table.Bits() {
		if *f.typ != "" && *f.typ != "bool" {
			return l, 0, usage("a %s is one bit and cannot be %s", "leave out -type", table, *f.typ)
		}
		return l, 1, nil
	}
	cfg := layout.Config{Type: layout.Uint16, Words: *f.length}
	var errs [3]error
	if *f.typ != "" {
		cfg.Type, errs[0] = layout.ParseType(*f.typ)
	}
	if *f.order != "" {
		cfg.Order, errs[1] = layout.ParseOrder(*f.order, max(cfg.Type.Words(), 1))
	}
	if *f.bits != "" {
		cfg.Bits, errs[2] = layout.ParseBits(*f.bits)
	}
	if err = errors.Join(errs[:]...); err == nil {
		l, err = layout.New(cfg)
	}
	if err != nil {
		return l, 0, usage("%w", fmt.Sprintf("run `sluice help %s`", f.Name()), err)
	}
	return l, l.Words(), nil
}

// inSite is a device of the site file, with all its points or the one named.
func (f *targetFlags) inSite(t terminal, device string, point ...string) (target, error) {
	cfg, err := load(config.LoadForDesk, *f.site, t)
	if err != nil {
		return target{}, err
	}
	f.reach.site = *f.site
	return pick(cfg, *f.site, *f.port, device, point...)
}

// pick is a device of a site file on its bus, or on another port where one is
// given.
func pick(cfg *config.Config, site, port, device string, point ...string) (target, error) {
	d := slices.IndexFunc(cfg.Devices, func(d mapping.Device) bool { return d.ID == device })
	if d < 0 {
		return target{}, usage("there is no device %q in %s", "a port is written in full, such as /dev/ttyUSB0; the devices are "+
			names(cfg.Devices, func(d mapping.Device) string { return d.ID }), device, site)
	}
	g := target{device: cfg.Devices[d]}
	b := slices.IndexFunc(cfg.Buses, func(b config.Bus) bool { return b.ID == g.device.Bus })
	g.bus = cfg.Buses[b] // the site file has been checked
	if port != "" {
		g.bus.Port, g.bus.Dial, g.bus.Listen = port, "", ""
		if address, ok := strings.CutPrefix(port, onNetwork); ok {
			g.bus.Port, g.bus.Dial = "", address
		}
	}
	if len(point) == 0 {
		return g, nil
	}
	all := slices.Concat(g.device.Points, g.device.Derived)
	if !keep(&g.device, point[0]) {
		return target{}, usage("device %s has no point %q", "its points are "+
			names(all, func(p mapping.Point) string { return p.ID }), device, point[0])
	}
	return g, nil
}

// keep leaves a device one point, and those it is computed from; false if it has no
// such point.
func keep(d *mapping.Device, id string) bool {
	ids := []string{id}
	d.Derived = only(d.Derived, ids)
	for _, p := range d.Derived {
		ids = p.Formula.Inputs()
	}
	points := only(d.Points, ids)
	if len(points) > 0 {
		d.Points = points
	}
	return len(points) > 0
}

// only returns the points with the ids.
func only(points []mapping.Point, ids []string) []mapping.Point {
	return slices.DeleteFunc(slices.Clone(points), func(p mapping.Point) bool { return !slices.Contains(ids, p.ID) })
}

func names[T any](things []T, name func(T) string) string {
	all := make([]string, len(things))
	for i, t := range things {
		all[i] = name(t)
	}
	return strings.Join(all, ", ")
}

// explainPort adds to an error of opening a port what to do about it.
func explainPort(err error) error {
	if errors.Is(err, unix.EBUSY) {
		return hint(err, "if that is `sluice run`, say where its socket is, and it will ask for you: -socket STATE/control.sock")
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return hint(err, "check address and port, and that nobody else is connected: many devices serve one master")
	}
	return hint(err, "name the port that the adapter got: ls -l /dev/serial/by-id")
}

// explainExchange adds to the error of an exchange what to do about it.
func explainExchange(err error) error {
	e, ok := errors.AsType[*modbus.Error](err)
	if !ok {
		return err
	}
	switch {
	case e.Exception != 0:
		return hint(err, "%s", modbus.Remedy(e.Exception))
	case e.Fault == modbus.Silent:
		return hint(err, "check unit number, speed and format, or let `sluice scan` find them; then A and B swapped, the supply")
	case e.Fault == modbus.Frame:
		return hint(err, "another speed or parity, two units with one number, or another master on the line")
	default:
		return hint(err, "look after the adapter and its cable")
	}
}
