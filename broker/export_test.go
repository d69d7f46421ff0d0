package broker

import "net"

// Converse serves one connection as if it had been accepted, until it ends.
func (b *Broker) Converse(nc net.Conn) {
	p := newPeer(b, nc)
	p.listener, p.left = b.listeners[0], func() {}
	p.serve(func(c net.Conn) error { return b.server.EstablishConnection(p.listener.id, c) })
}
