package gateway

import (
	"net"
	"time"

	"sluice/drivers/ascii"
	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/tcp"
	"sluice/gateway/config"
)

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

// jitter is how long the way to the devices may hold back a reply, apart from what
// serial adapters do.
func jitter(c config.Bus) time.Duration {
	if c.Port != "" {
		return 0
	}
	return tcp.Jitter
}
