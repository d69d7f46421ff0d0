package gateway

import (
	"context"
	"net"

	"sluice/drivers/ascii"
	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/serial"
	"sluice/drivers/tcp"
	"sluice/gateway/config"
)

// opener returns how the port or the connection of a bus is opened; listener is
// nil unless a converter dials in. Doubts about late replies outlive it.
func opener(c config.Bus, listener *tcp.Listener) func(context.Context) (bus.Transport, error) {
	doubts := new(modbus.Doubts)
	return func(ctx context.Context) (bus.Transport, error) {
		var conn net.Conn
		var err error
		switch {
		case listener != nil:
			conn, err = listener.Take()
		case c.Dial != "":
			conn, err = tcp.Dial(ctx, c.Dial)
		default:
			return openPort(c, doubts)
		}
		if err != nil {
			return nil, err
		}
		return overNetwork(c, conn, doubts), nil
	}
}

func openPort(c config.Bus, doubts *modbus.Doubts) (bus.Transport, error) {
	port, err := serial.Open(serial.Config{Path: c.Port, Line: c.Line})
	if err != nil {
		return nil, err
	}
	if c.Framing == modbus.ASCII {
		return ascii.New(port, ascii.Config{Line: c.Line, Echo: c.Echo, Doubts: doubts}), nil
	}
	return rtu.New(port, rtu.Config{Line: c.Line, Echo: c.Echo, Virtual: port.Virtual(), Doubts: doubts}), nil
}

// overNetwork takes a connection for what is at its other end.
func overNetwork(c config.Bus, conn net.Conn, doubts *modbus.Doubts) bus.Transport {
	switch c.Framing {
	case modbus.TCP:
		return tcp.New(conn)
	case modbus.ASCII:
		return ascii.New(tcp.NewPort(conn), ascii.Config{Line: c.Line, Echo: c.Echo, Doubts: doubts})
	default:
		return rtu.New(tcp.NewPort(conn), rtu.Config{Line: c.Line, Echo: c.Echo, Virtual: true, Jitter: tcp.Jitter, Doubts: doubts})
	}
}

// planned is the line that reads are planned for: with ASCII every byte is two
// characters.
func planned(c config.Bus) modbus.Line {
	line := c.Line
	if c.Framing == modbus.ASCII {
		line.Baud /= 2
	}
	return line
}
