package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
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

// networkTimeout is the default on the network, where a lost segment alone costs
// some hundred milliseconds and a gateway may ask its line again.
const networkTimeout = time.Second

// modbusPort is the TCP port of Modbus TCP. On any other, converters are as
// common as devices.
const modbusPort = "502"

// What a bus on the network is planned with where the file does not say: the
// usual speed behind a converter, and more than any line behind Modbus TCP, where
// it is the number of requests that costs.
const (
	converterBaud = 9600
	networkBaud   = 115200
)

// mappingBuses tells the devices of their buses. Nothing is held against units on
// a bus that is nowhere.
func mappingBuses(buses []Bus) []mapping.Bus {
	out := make([]mapping.Bus, len(buses))
	for i, b := range buses {
		out[i] = mapping.Bus{ID: b.ID, AnyUnit: b.Framing == modbus.TCP || b.place() == "", Settings: b.Settings}
	}
	return out
}

func (r *reader) buses(n mapping.Node) []Bus {
	var buses []Bus
	places := map[string]string{}
	ids := map[string]bool{}
	for _, item := range n.Seq() {
		b := r.bus(item)
		if b.ID != "" && ids[b.ID] {
			item.As(fmt.Sprintf("bus %q", b.ID)).Problem("give each bus an id of its own", "the id is used twice")
		}
		ids[b.ID] = true
		place := b.place()
		if other, taken := places[place]; taken && place != "" {
			item.As(fmt.Sprintf("bus %q", b.ID)).Problem("put the devices of one line on one bus",
				"%s belongs to bus %q already", place, other)
		}
		places[place] = b.ID
		if b.Listen != "" {
			r.listens = append(r.listens, listen{item.As(fmt.Sprintf("bus %q", b.ID)), b.Listen})
		}
		buses = append(buses, b)
	}
	return buses
}

// listen is an address on which a bus waits for its converter.
type listen struct {
	bus     mapping.Node
	address string
}

// checkListens reports buses that wait where the broker serves: the second to come
// would not get the address.
func (r *reader) checkListens(broker []string) {
	for _, l := range r.listens {
		for _, served := range broker {
			if meet(l.address, served) {
				l.bus.Problem("give the bus another port, e.g. 4001", "listen: %s is where the broker serves %s", l.address, served)
			}
		}
	}
}

// meet reports whether one cannot listen on both addresses.
func meet(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	return portA == portB && portA != "0" && (hostA == hostB || everywhere(hostA) || everywhere(hostB) || isLoopback(hostA) && isLoopback(hostB))
}

// everywhere reports whether a host to listen on is all of the machine's.
func everywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// place says where the bus is, "" if nowhere.
func (b *Bus) place() string {
	switch {
	case b.Port != "":
		return "port " + b.Port
	case b.Dial != "":
		return "tcp " + b.Dial
	case b.Listen != "":
		return "listen " + b.Listen
	default:
		return ""
	}
}

func (r *reader) bus(n mapping.Node) Bus {
	m := n.As("bus").Map(append(mapping.SettingKeys(), "id", "port", "tcp", "listen", "allow", "framing", "baud", "format", "gap", "echo", "rs485", "low_latency")...)
	b := Bus{ID: m.Need("id", "rs485").ID()}
	m = m.Named(fmt.Sprintf("bus %q", b.ID))
	b.location(m)
	b.framing(m)
	b.line(m)
	b.Gap = m.Get("gap").Duration(0, maxGap, 0)
	b.Echo = m.Get("echo").Bool(false)
	b.Settings = mapping.InheritSettings(m, r.defaultsOf(&b))
	b.RS485 = rs485(m.Get("rs485"))
	b.LowLatency = m.Get("low_latency").Bool(true)
	for _, key := range []string{"rs485", "low_latency"} {
		if n := m.Get(key); n.Present() && b.Port == "" {
			n.Problem("leave it out; the converter has its own settings", "a bus on the network has no serial port here")
		}
	}
	if echo := m.Get("echo"); b.Echo && b.Framing == modbus.TCP {
		echo.Problem("leave it out", "Modbus TCP has no adapter that could return what is sent")
	}
	return b
}

// defaultsOf are what holds for the devices on a bus unless it says otherwise.
func (r *reader) defaultsOf(b *Bus) mapping.Settings {
	s := r.defaults
	if b.place() != "" && b.Port == "" && !r.timed {
		s.Timeout = networkTimeout
	}
	return s
}

// location reads where the bus is: exactly one of the keys that say it.
func (b *Bus) location(m mapping.Map) {
	port, tcp, listen := m.Get("port"), m.Get("tcp"), m.Get("listen")
	for _, further := range []mapping.Node{tcp, listen} {
		if further.Present() && (port.Present() || further == listen && tcp.Present()) {
			further.Problem("keep one of port, tcp and listen", "the bus is somewhere else already")
		}
	}
	switch {
	case tcp.Present():
		b.Dial = readAddress(tcp, "192.0.2.40:"+modbusPort)
	case listen.Present():
		b.Listen = readAddress(listen, "0.0.0.0:4001")
	default:
		b.port(m.Need("port", "/dev/ttyUSB0, or tcp: 192.0.2.40:502"))
	}
	b.allow(m)
}

// allow reads who may dial in. Whoever gets in is believed: nothing but the
// address tells a converter from a stranger.
func (b *Bus) allow(m mapping.Map) {
	n := m.Get("allow")
	for _, item := range n.Seq() {
		p, err := readPeer(item.Text())
		if err != nil {
			item.Problem("write an address, 192.0.2.40, or a network, 192.0.2.0/24", "%q is no address of a peer", item.Text())
			continue
		}
		b.Allow = append(b.Allow, p)
	}
	host, _, _ := net.SplitHostPort(b.Listen)
	switch {
	case n.Present() && !m.Get("listen").Present():
		n.Problem("leave it out", "it says who may dial in, and nobody does without listen")
	case n.Present() && len(n.Seq()) == 0:
		n.Problem("write the address of the converter, e.g. [192.0.2.40]", "nobody is in it, so nobody could dial in")
	case n.Present() || b.Listen == "":
	case isLoopback(host):
		b.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	default:
		m.Need("allow", "[192.0.2.40], the address of the converter")
	}
}

// readPeer reads an address or a network.
func readPeer(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// readAddress reads host:port.
func readAddress(n mapping.Node, example string) string {
	s := n.Text()
	if s == "" {
		return ""
	}
	usualHost, usualPort, _ := net.SplitHostPort(example)
	host, port, err := net.SplitHostPort(s)
	p, number := strconv.Atoi(port)
	switch {
	case err != nil && strings.Contains(err.Error(), "missing port"):
		n.Problem("write "+net.JoinHostPort(strings.Trim(s, "[]"), usualPort), "%q has no port", s)
	case err != nil || strings.Contains(host, "/"):
		n.Problem("write host:port, e.g. "+example, "%q is not an address", s)
	case host == "":
		n.Problem("write "+net.JoinHostPort(usualHost, port), "%q has no host", s)
	case number != nil || p < 1 || p > 65535:
		n.Problem("write a port from 1 to 65535, e.g. "+usualPort, "%q is not a port", port)
	default:
		return s
	}
	return ""
}

// framing reads how frames travel. Only on port 502 of a device the answer is
// clear; taking a converter for a device would fail without a word.
func (b *Bus) framing(m mapping.Map) {
	n := m.Get("framing")
	_, port, _ := net.SplitHostPort(b.Dial)
	switch {
	case !n.Present() && port == modbusPort:
		b.Framing = modbus.TCP
		return
	case !n.Present() && b.Dial != "":
		m.Need("framing", "tcp for Modbus TCP, framing: rtu for an RS-485 converter")
		b.Framing = modbus.TCP // whose units may have any number: one mistake, one report
		return
	}
	switch n.Choice("rtu", "ascii", "tcp") {
	case "ascii":
		b.Framing = modbus.ASCII
	case "tcp":
		b.Framing = modbus.TCP
	}
	if b.Framing == modbus.TCP && b.Port != "" {
		n.Problem("leave it out, or write rtu or ascii", "Modbus TCP does not travel on a serial port")
	}
}

// line reads speed and format. They are needed for a port; for a bus on the
// network they say what is behind it.
func (b *Bus) line(m mapping.Map) {
	baud, format := m.Get("baud"), m.Get("format")
	usual := converterBaud
	if b.Framing == modbus.TCP {
		usual = networkBaud
	}
	if !m.Get("tcp").Present() && !m.Get("listen").Present() {
		baud, format = m.Need("baud", "9600"), m.Need("format", "8N1")
	}
	b.Line.Baud = baud.Int(50, maxBaud, usual)
	b.format(format)
}

// format reads the serial format of the bus: 8N1 where it cannot.
func (b *Bus) format(n mapping.Node) {
	b.Line.DataBits, b.Line.Parity, b.Line.StopBits = 8, modbus.NoParity, 1
	s := n.Matching(`^[78][NEOMSneoms][12]$`)
	if s == "" {
		return
	}
	bits, parity, stop, err := modbus.ParseFormat(s)
	switch {
	case err != nil:
		n.Problem("write data bits, parity (N, E or O) and stop bits, e.g. 8E1", "%q is not a serial format", s)
	case bits != 8 && b.Framing == modbus.RTU:
		n.Problem(fmt.Sprintf("write 8%c%d", parity, stop), "Modbus RTU sends 8 data bits, not %d", bits)
	default:
		b.Line.DataBits, b.Line.Parity, b.Line.StopBits = bits, parity, stop
	}
}
