package broker

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/auth"
)

// Refusal is why a connection, a subscription or a message was not taken.
type Refusal int

// Refusals of connections, then of subscriptions, then of messages, then what ends
// a connection.
const (
	RefusedRate        Refusal = iota + 1 // too many connects a second from one address
	RefusedWaiting                        // too many connections from one address that have not sent CONNECT
	RefusedConnections                    // too many connections in all
	RefusedHandshake                      // TLS or WebSocket failed
	RefusedTimeout                        // no CONNECT in time
	RefusedLarge                          // CONNECT is too large
	RefusedProtocol                       // the first packet is no CONNECT
	RefusedClients                        // too many clients are connected
	RefusedLogin                          // user name or password is wrong, or missing
	RefusedLogins                         // too many wrong passwords from one address, or logins at once
	RefusedUser                           // the certificate names nobody who is known
	RefusedWill                           // the client may not publish its will
	RefusedSessions                       // too many sessions
	RefusedClientID                       // the session belongs to another user
	RefusedFilters                        // too many subscriptions of a client
	RefusedFilter                         // the topic filter is malformed or too deep
	RefusedRead                           // the user may not read it
	RefusedTopic                          // the topic is malformed or too deep
	RefusedWrite                          // the user may not publish it, or only the gateway may
	RefusedQuota                          // a queue or the retained store is full
	RefusedSize                           // the packet is too large
	RefusedPacket                         // the packet is malformed or out of place
	RefusedAlias                          // the topic alias is beyond the limit, or unknown
	RefusedSlow                           // the client takes too little of what it is sent, or nothing

	refusals
)

func (r Refusal) String() string {
	return [refusals]string{"", "rate", "waiting", "connections", "handshake", "timeout", "large", "protocol", "clients", "login", "logins",
		"user", "will", "sessions", "client-id", "filters", "filter", "read", "topic", "write", "quota", "size", "packet", "alias", "slow"}[r]
}

// refusalOf tells why a message was refused by the code that its client gets.
func refusalOf(code packets.Code) Refusal {
	switch code.Code {
	case packets.ErrTopicNameInvalid.Code:
		return RefusedTopic
	case packets.ErrNotAuthorized.Code:
		return RefusedWrite
	}
	return RefusedQuota
}

// door bounds who comes and counts who is turned away.
type door struct {
	connects *auth.Limiter
	most     int // that wait, from one address

	mu      sync.Mutex
	waiting map[netip.Addr]int // connections that have not sent CONNECT

	turned [refusals]atomic.Uint64
}

func newDoor(l Limits) *door {
	return &door{connects: auth.NewLimiter(l.Connects, int(4*l.Connects)), most: l.Clients, waiting: map[netip.Addr]int{}}
}

// enter returns what to call when the connection no longer waits, or why it is
// refused.
func (d *door) enter(from netip.Addr) (func(), Refusal) {
	if !d.connects.Take(from) {
		return nil, RefusedRate
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting[from] >= d.most {
		return nil, RefusedWaiting
	}
	d.waiting[from]++
	return sync.OnceFunc(func() { d.leave(from) }), 0
}

func (d *door) leave(from netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting[from]--; d.waiting[from] == 0 {
		delete(d.waiting, from)
	}
}

func (d *door) count(r Refusal) { d.turned[r].Add(1) }

func (d *door) counts() map[Refusal]uint64 {
	all := map[Refusal]uint64{}
	for r := range d.turned {
		if n := d.turned[r].Load(); n > 0 {
			all[Refusal(r)] = n
		}
	}
	return all
}

// turnAway counts a refusal and warns about it, once in a while for each whom.
func (b *Broker) turnAway(r Refusal, whom string, args ...any) {
	b.door.count(r)
	about := "turned away: " + r.String() + " " + whom
	b.notice.warn(b.log, about, "turned away", append([]any{"reason", r.String(), "whom", whom}, args...)...)
}

func addrOf(nc net.Conn) netip.Addr {
	tcp, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{} // a unix socket
	}
	return tcp.AddrPort().Addr().Unmap()
}

var (
	errNoConnect = errors.New("the first packet is no CONNECT")
	errLarge     = errors.New("the CONNECT packet is too large")
)

// opening looks at the head of a client's first packet before anything is kept of
// it: nobody is known yet.
type opening struct {
	net.Conn
	limit int

	seen   int // bytes of the head
	length int
	err    error
}

func (o *opening) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	for i := 0; i < n && o.seen >= 0 && o.err == nil; i++ {
		o.err = o.look(p[i])
	}
	if o.err != nil {
		return 0, o.err
	}
	return n, err
}

// look takes the next byte of the head: the type, then the length in groups of
// seven bits (MQTT 5, section 2.1.4). seen becomes negative at its end.
func (o *opening) look(b byte) error {
	if o.seen == 0 && b != packets.Connect<<4 {
		return errNoConnect
	}
	if o.seen > 0 {
		o.length |= int(b&0x7f) << (7 * (o.seen - 1))
	}
	switch {
	case o.length > o.limit:
		return errLarge
	case o.seen > 0 && b < 0x80:
		o.seen = -1
	case o.seen == 4:
		return errNoConnect
	default:
		o.seen++
	}
	return nil
}

// refusal says why no CONNECT came; 0 if the client just went away.
func (o *opening) refusal(err error) Refusal {
	switch {
	case errors.Is(o.err, errLarge):
		return RefusedLarge
	case o.err != nil:
		return RefusedProtocol
	case errors.Is(err, os.ErrDeadlineExceeded):
		return RefusedTimeout
	}
	return 0
}

// CloseWrite ends the stream to the client and leaves the other open.
func (o *opening) CloseWrite() error {
	if half, ok := o.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
