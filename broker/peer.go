package broker

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/topic"
)

// peer is one connection and what belongs to it beyond mochi's client: what it
// has published and is not acknowledged yet. Mochi carries it as its net.Conn.
type peer struct {
	*conn
	broker *Broker
	client atomic.Pointer[mqtt.Client] // once CONNECT was accepted
	ctx    context.Context             // ends with the connection
	cancel context.CancelFunc
	owed   chan debt
	inbox  *inbox

	// Of the goroutine that reads from the client.
	accepted debt   // of the message being routed
	routing  bool   // the order lock is held
	ending   bool   // a message was refused in a way that ends the connection
	request  uint16 // packet identifier of the SUBSCRIBE or UNSUBSCRIBE at work
}

func newPeer(b *Broker, nc net.Conn) *peer {
	p := &peer{conn: newConn(nc, b.limits), broker: b, owed: make(chan debt, b.limits.Owed), inbox: &inbox{}}
	p.ctx, p.cancel = context.WithCancel(b.acks)
	return p
}

// peerOf returns the peer of one of mochi's clients; false for the gateway itself.
func peerOf(cl *mqtt.Client) (*peer, bool) {
	p, ok := cl.Net.Conn.(*peer)
	return p, ok
}

// serve lets mochi read from the connection until either side ends it.
func (p *peer) serve(establish func(net.Conn) error) {
	var own sync.WaitGroup
	own.Go(p.flush)
	own.Go(p.acknowledge)
	err := p.converse(establish)
	_ = p.Close()
	p.cancel()
	own.Wait()
	p.linger()
	p.report(err)
}

// converse returns when the client or the broker has ended the connection.
// Mochi's decoders index out of range on some malformed packets; that must end
// this connection, not the gateway.
func (p *peer) converse(establish func(net.Conn) error) (err error) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if p.routing {
			panic(r) // with the order lock held there is no going on
		}
		err = fmt.Errorf("malformed packet: %v", r)
		p.abandon()
	}()
	return establish(p)
}

// abandon does for a client what mochi does at the end of a connection.
func (p *peer) abandon() {
	cl := p.client.Load()
	if cl == nil {
		return
	}
	if w := cl.Properties.Will; w.Flag != 0 && !p.broker.stopped() {
		m := topic.Message{Topic: w.TopicName, Payload: w.Payload, QoS: w.Qos, Retain: w.Retain}
		if err := p.broker.Publish(context.Background(), m); err != nil {
			p.broker.countRefused(cl, m.Topic, packets.ErrQuotaExceeded, err)
		}
	}
	v5 := cl.Properties.ProtocolVersion >= 5
	expired := v5 && cl.Properties.Props.SessionExpiryInterval == 0 || !v5 && cl.Properties.Clean
	if expired && !cl.IsTakenOver() {
		cl.ClearInflights()
		p.broker.server.UnsubscribeClient(cl)
		p.broker.server.Clients.Delete(cl.ID)
	}
}

func (p *peer) report(err error) {
	id, remote := p.id(), p.RemoteAddr().String()
	if p.cause == errPending || p.cause == errStalled {
		p.broker.notice.warn(p.broker.log, "slow "+id, "disconnected a client", "client", id, "remote", remote, "err", p.cause)
		return
	}
	p.broker.log.Debug("connection ended", "client", id, "remote", remote, "err", err)
}

func (p *peer) id() string {
	if cl := p.client.Load(); cl != nil {
		return cl.ID
	}
	return ""
}

// behind reports whether the client, as a subscriber, has half of what may be
// pending, so that its publishers should slow down.
func (p *peer) behind(cl *mqtt.Client) bool {
	return cl.State.Inflight.Len() > writesPending/2 && !cl.Closed() || p.pending() > p.limit/2
}

// end disconnects the client, with a reason if it can be told. Unlike mochi's
// Stop it leaves the end to the reading side, which then always sends the will.
func (p *peer) end(reason packets.Code) {
	if cl := p.client.Load(); cl != nil {
		_ = cl.WritePacket(packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Disconnect},
			ReasonCode:  reason.Code,
			Properties:  packets.Properties{ReasonString: reason.Reason},
		})
	}
	_ = p.Close()
}
