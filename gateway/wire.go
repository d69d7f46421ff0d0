package gateway

import (
	"context"

	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/serial"
	"sluice/drivers/tcp"
	"sluice/gateway/config"
)

// opener returns how the port or the connection of a bus is opened. Doubts about
// late replies outlive it.
func opener(c config.Bus) func(context.Context) (bus.Transport, error) {
	cfg := rtu.Config{Line: c.Line, Echo: c.Echo, Doubts: new(rtu.Doubts)}
	if c.Dial == "" {
		return func(context.Context) (bus.Transport, error) { return openPort(c, cfg) }
	}
	return func(ctx context.Context) (bus.Transport, error) {
		conn, err := tcp.Dial(ctx, c.Dial)
		if err != nil {
			return nil, err
		}
		if c.Framing == modbus.TCP {
			return tcp.New(conn), nil
		}
		cfg.Virtual, cfg.Jitter = true, tcp.Jitter
		return rtu.New(tcp.NewPort(conn), cfg), nil
	}
}

func openPort(c config.Bus, cfg rtu.Config) (bus.Transport, error) {
	port, err := serial.Open(serial.Config{Path: c.Port, Line: c.Line})
	if err != nil {
		return nil, err
	}
	cfg.Virtual = port.Virtual()
	return rtu.New(port, cfg), nil
}
