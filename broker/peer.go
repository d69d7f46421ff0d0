package broker

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/auth"
	"sluice/broker/session"
	"sluice/broker/wire"
)

// peer is one connection and what belongs to it beyond mochi's client: what it
// has published and is not acknowledged yet. Mochi carries it as its net.Conn.
type peer struct {
	*conn
	broker *Broker
	client atomic.Pointer[mqtt.Client] // once CONNECT was accepted
	opened atomic.Bool                 // CONNACK was sent, which comes before everything else [MQTT-3.2.0-1]
	ctx    context.Context             // ends with the connection
	cancel context.CancelFunc
	owed   *debts

	listener  *listener
	certified string // the user that the certificate of the connection names
	from      netip.Addr
	left      func() // the client no longer waits at the door
	opening   *opening
	packets   *wire.Reader
	user      string     // since CONNECT
	grant     auth.Grant // likewise

	subscriber atomic.Pointer[subscriber] // its session, once CONNECT was accepted

	// Of the goroutine that reads from the client.
	resumed bool          // the session is an earlier one
	terms   session.Terms // of CONNECT
	will    *will         // nil: none, or taken back
	aliases aliases
	routing bool   // the order lock is held
	ending  bool   // a message was refused in a way that ends the connection
	request uint16 // packet identifier of the SUBSCRIBE or UNSUBSCRIBE at work
}

func newPeer(b *Broker, nc net.Conn) *peer {
	first := &opening{Conn: nc, limit: b.limits.ConnectBytes}
	p := &peer{conn: newConn(first, b.limits), opening: first, broker: b, owed: newDebts(b.limits.Owed)}
	p.packets = wire.NewReader(p.conn, b.limits.PacketBytes)
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
	own.Go(func() { p.flush(p.pump) })
	own.Go(p.acknowledge)
	err := p.converse(establish)
	p.part()
	_ = p.Close()
	p.cancel()
	own.Wait()
	p.linger()
	p.report(err)
}

// converse returns when the client or the broker has ended the connection.
// Mochi's decoders index out of range on some malformed packets. None of them
// should come this far, but if one does it must end this connection, not the
// gateway.
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
	}()
	return establish(p)
}

// part ends what the connection has to do with its session. Mochi may have
// forgotten the client before, or not: after a panic it has not.
func (p *peer) part() {
	cl := p.client.Load()
	if cl == nil {
		return
	}
	left := p.broker.sessionLeft(cl)
	p.execute(left)
	p.broker.depart(p, left == 0)
	if known, ok := p.broker.server.Clients.Get(cl.ID); left == 0 && ok && known == cl {
		p.broker.server.UnsubscribeClient(cl)
		p.broker.server.Clients.Delete(cl.ID)
	}
}

// sessionLeft returns how long a session outlives its connection.
func (b *Broker) sessionLeft(cl *mqtt.Client) time.Duration {
	most := b.limits.SessionExpiry
	switch {
	case cl.Properties.ProtocolVersion >= 5:
		return min(most, time.Duration(cl.Properties.Props.SessionExpiryInterval)*time.Second)
	case cl.Properties.Clean:
		return 0
	}
	return most
}

func (p *peer) report(err error) {
	id, remote := p.id(), p.RemoteAddr().String()
	if refusal := p.refusal(err); p.client.Load() == nil && refusal != 0 && !p.broker.stopped() {
		p.broker.turnAway(refusal, p.from.String())
		return
	}
	if p.cause == errPending || p.cause == errStalled {
		p.broker.door.count(RefusedSlow)
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

// Send writes a message for the session.
func (p *peer) Send(packet []byte) error {
	n, err := p.Write(packet)
	if err != nil {
		return err
	}
	info := p.broker.server.Info
	atomic.AddInt64(&info.BytesSent, int64(n))
	atomic.AddInt64(&info.PacketsSent, 1)
	if packet[0]>>4 == packets.Publish {
		atomic.AddInt64(&info.MessagesSent, 1)
	}
	return nil
}

func (p *peer) pump() {
	if s := p.subscriber.Load(); s != nil {
		s.session.Pump()
	}
}

// end disconnects the client, with a reason if it can be told. Unlike mochi's
// Stop it leaves the end to the reading side, which then always sends the will.
func (p *peer) end(reason packets.Code) {
	p.tell(reason)
	_ = p.Close()
}

// tell sends DISCONNECT, if there is a connection by MQTT 5 to be ended.
func (p *peer) tell(reason packets.Code) {
	if cl := p.client.Load(); cl != nil {
		_ = cl.WritePacket(packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Disconnect},
			ReasonCode:  reason.Code,
			Properties:  packets.Properties{ReasonString: reason.Reason},
		})
	}
}
