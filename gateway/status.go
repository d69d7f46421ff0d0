package gateway

import (
	"net"

	"sluice/bridge"
	"sluice/broker"
	"sluice/drivers/bus"
	"sluice/gateway/poll"
)

// Status is a snapshot of every part.
type Status struct {
	Buses   []BusStatus
	Broker  broker.Stats
	Bridges []BridgeStatus
}

// BusStatus is a snapshot of a bus, its port and its poller.
type BusStatus struct {
	ID   string
	Port PortStatus
	Bus  bus.Stats
	Poll poll.Stats
}

// BridgeStatus is a snapshot of a bridge and its queue.
type BridgeStatus struct {
	ID string
	bridge.Stats
}

// Status returns a snapshot; it may be called at any time.
func (g *Gateway) Status() Status {
	lines, relays := g.parts()
	s := Status{Broker: g.broker.Stats()}
	for _, l := range lines {
		s.Buses = append(s.Buses, BusStatus{l.cfg.ID, l.port.status(), l.bus.Stats(), l.polling().Stats()})
	}
	for _, r := range relays {
		s.Bridges = append(s.Bridges, BridgeStatus{r.cfg.ID, r.Stats()})
	}
	return s
}

// parts are those that the configuration brings.
func (g *Gateway) parts() ([]*line, []*relay) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lines, g.relays
}

// Addrs returns the addresses that the local broker serves, once it is ready.
func (g *Gateway) Addrs() []net.Addr { return g.broker.Addrs() }
