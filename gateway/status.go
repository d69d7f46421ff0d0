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
	s := Status{Broker: g.broker.Stats()}
	for i, b := range g.buses {
		s.Buses = append(s.Buses, BusStatus{g.ports[i].cfg.ID, g.ports[i].status(), b.Stats(), g.pollers[i].Stats()})
	}
	for _, b := range g.bridges {
		s.Bridges = append(s.Bridges, BridgeStatus{b.String(), b.Stats()})
	}
	return s
}

// Addrs returns the addresses that the local broker serves, once it is ready.
func (g *Gateway) Addrs() []net.Addr { return g.broker.Addrs() }
