package main

import (
	"cmp"
	"flag"
	"fmt"
	"net"
	"strconv"
	"strings"

	"sluice/drivers/modbus"
	"sluice/gateway/config"
)

// placeFlags say how characters and frames travel on a port, or on a connection.
type placeFlags struct {
	baud            int
	format, framing string
	echo            bool
}

func (p *placeFlags) add(f *flag.FlagSet) {
	f.IntVar(&p.baud, "baud", 9600, "")
	f.StringVar(&p.format, "format", "8N1", "")
	f.StringVar(&p.framing, "framing", "", "")
}

// addEcho adds the flag of those who send.
func (p *placeFlags) addEcho(f *flag.FlagSet) { f.BoolVar(&p.echo, "echo", false, "") }

// onNetwork begins what is not a serial port but an address.
const onNetwork = "tcp://"

// bus is the bus at a port such as /dev/ttyUSB0, or at tcp://host:port.
func (p *placeFlags) bus(place string) (b config.Bus, err error) {
	b.Echo = p.echo
	usual := "rtu"
	if address, ok := strings.CutPrefix(place, onNetwork); ok {
		if b.Dial, err = dialled(address); err != nil {
			return b, err
		}
		usual = "tcp"
	} else {
		b.Port = place
	}
	switch framing := cmp.Or(p.framing, usual); {
	case framing == "rtu":
	case framing == "ascii":
		b.Framing = modbus.ASCII
	case framing == "tcp" && b.Dial != "":
		b.Framing = modbus.TCP
	default:
		return b, usage("-framing: %q is not possible on %s", "write rtu or ascii; on tcp://host:port also tcp", framing, place)
	}
	b.Line, err = p.line(b.Framing)
	return b, err
}

// dialled completes an address by the port of Modbus TCP.
func dialled(address string) (string, error) {
	if _, _, err := net.SplitHostPort(address); err != nil && !strings.Contains(address, ":") {
		address = net.JoinHostPort(address, "502")
	}
	host, port, err := net.SplitHostPort(address)
	if n, e := strconv.Atoi(port); err != nil || host == "" || strings.Contains(host, "/") || e != nil || n < 1 || n > 65535 {
		return "", usage("%q is no address on the network", "write tcp://192.0.2.40:502", address)
	}
	return address, nil
}

// line is how characters travel.
func (p *placeFlags) line(f modbus.Framing) (modbus.Line, error) {
	bits, parity, stop, err := modbus.ParseFormat(p.format)
	switch {
	case err != nil:
		return modbus.Line{}, usage("-format: %w", "write data bits, parity (N, E or O) and stop bits, e.g. 8E1", err)
	case bits != 8 && f == modbus.RTU:
		return modbus.Line{}, usage("-format: Modbus RTU sends 8 data bits, not %d", fmt.Sprintf("write 8%c%d", parity, stop), bits)
	case p.baud < 50 || p.baud > 4_000_000:
		return modbus.Line{}, usage("-baud: %d is no speed of a serial line", "usual are 9600 and 19200", p.baud)
	}
	return modbus.Line{Baud: p.baud, DataBits: bits, Parity: parity, StopBits: stop}, nil
}

// unitRange is what units there are.
func unitRange(f modbus.Framing) (first, last uint) {
	if f == modbus.TCP {
		return 0, 255
	}
	return 1, 247
}

// place says where a bus is, as the command line does.
func place(b config.Bus) string {
	if b.Dial != "" {
		return onNetwork + b.Dial
	}
	return b.Port
}

// manner says how frames travel there, as far as it is known.
func manner(b config.Bus) string {
	switch {
	case b.Dial != "" || b.Listen != "":
		return "framing " + b.Framing.String()
	case b.Framing == modbus.ASCII:
		return b.Line.String() + " ascii"
	default:
		return b.Line.String()
	}
}
