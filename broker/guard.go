package broker

import (
	"fmt"
	"math"
	"strings"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/topic"
)

// guard knows the topics that clients may not publish to.
type guard struct {
	names   map[string]bool
	filters []string // with wildcards
}

func newGuard(protected []string) (guard, error) {
	g := guard{names: map[string]bool{}}
	for _, filter := range protected {
		switch {
		case topic.CheckName(filter) == nil:
			g.names[filter] = true
		case topic.CheckFilter(filter) == nil:
			g.filters = append(g.filters, filter)
		default:
			return g, fmt.Errorf("protected topic %q: %w", filter, topic.CheckFilter(filter))
		}
	}
	return g, nil
}

func (g guard) protects(name string) bool {
	if len(name) >= len(mqtt.SysPrefix) && strings.EqualFold(name[:len(mqtt.SysPrefix)], mqtt.SysPrefix) {
		return true
	}
	if g.names[name] {
		return true
	}
	for _, filter := range g.filters {
		if topic.Match(filter, name) {
			return true
		}
	}
	return false
}

// because gives a reason code the words that MQTT 5 clients get with it.
func because(code packets.Code, why string) packets.Code {
	code.Reason = why
	return code
}

// allow reports why a client may not publish to name, or CodeSuccess.
func (b *Broker) allow(p *peer, name string) packets.Code {
	if code := b.foreign(name); code != packets.CodeSuccess {
		return code
	}
	if !p.grant.MayWrite(name) {
		return because(packets.ErrNotAuthorized, "the user may not publish to this topic")
	}
	return packets.CodeSuccess
}

// foreign reports why nobody but the gateway may publish to name, or CodeSuccess.
func (b *Broker) foreign(name string) packets.Code {
	switch {
	case topic.CheckName(name) != nil:
		return packets.ErrTopicNameInvalid
	case levels(name) > b.limits.Levels:
		return because(packets.ErrTopicNameInvalid, fmt.Sprintf("the topic has more than %d levels", b.limits.Levels))
	case b.guard.Load().protects(name):
		return because(packets.ErrNotAuthorized, "only the gateway publishes to this topic")
	}
	return packets.CodeSuccess
}

// admit reports why a client may not connect, or CodeSuccess.
func (b *Broker) admit(p *peer, cl *mqtt.Client, pk packets.Packet) packets.Code {
	if pk.Properties.AuthenticationMethod != "" {
		return packets.ErrBadAuthenticationMethod // [MQTT-4.12.0-1]
	}
	if code := b.identify(p, cl, pk); code != packets.CodeSuccess {
		return code
	}
	if pk.Connect.WillFlag {
		if code := b.allow(p, pk.Connect.WillTopic); code != packets.CodeSuccess {
			b.turnAway(RefusedWill, cl.ID, "client", cl.ID, "user", p.user, "topic", pk.Connect.WillTopic)
			return because(code, "will: "+code.Reason)
		}
	}
	if b.server.Info.Clone().ClientsConnected >= int64(b.limits.Clients) {
		b.turnAway(RefusedClients, "", "limit", b.limits.Clients)
		return because(packets.ErrServerBusy, "too many clients are connected")
	}
	owner, known, sessions := b.ownerOf(cl.ID)
	if !known && sessions >= 2*b.limits.Clients {
		b.turnAway(RefusedSessions, "", "limit", 2*b.limits.Clients)
		return because(packets.ErrServerBusy, "too many sessions are kept")
	}
	if known && owner != p.user {
		b.turnAway(RefusedClientID, cl.ID, "client", cl.ID, "user", p.user)
		return because(packets.ErrClientIdentifierNotValid, "the session belongs to another user")
	}
	return packets.CodeSuccess
}

// shorten keeps an MQTT 5 client from being silent for longer than the limit, and
// tells it so [MQTT-3.2.2-21]; before MQTT 5 it can't be told.
func (b *Broker) shorten(cl *mqtt.Client) {
	most := uint16(min((b.limits.Keepalive+time.Second-1)/time.Second, math.MaxUint16))
	if s := &cl.State; cl.Properties.ProtocolVersion >= 5 && most > 0 && (s.Keepalive == 0 || s.Keepalive > most) {
		s.Keepalive, s.ServerKeepalive = most, true
	}
}

// connackCode translates a refusal for clients before MQTT 5.
func connackCode(code packets.Code, version byte) packets.Code {
	switch {
	case version >= 5:
		return code
	case code.Code == packets.ErrServerBusy.Code || code.Code == packets.ErrConnectionRateExceeded.Code:
		return packets.ErrServerUnavailable
	case code.Code == packets.ErrClientIdentifierNotValid.Code:
		return packets.Err3ClientIdentifierNotValid
	case code.Code == packets.ErrBadUsernameOrPassword.Code:
		return packets.Code{Code: 0x04, Reason: code.Reason} // mochi has no name for it
	default:
		return packets.Err3NotAuthorized
	}
}

// subscribable reports whether a client may subscribe to filter.
func (b *Broker) subscribable(filter string) bool {
	if group, rest, shared := sharedFilter(filter); shared {
		return group && topic.CheckFilter(rest) == nil && levels(rest) <= b.limits.Levels
	}
	return topic.CheckFilter(filter) == nil && levels(filter) <= b.limits.Levels
}

// sharedFilter takes $share/{group}/{filter} apart.
func sharedFilter(s string) (group bool, filter string, shared bool) {
	if !mqtt.IsSharedFilter(s) {
		return false, "", false
	}
	_, rest, _ := strings.Cut(s, "/")
	name, filter, _ := strings.Cut(rest, "/")
	return name != "" && !strings.ContainsAny(name, "+#"), filter, true
}

func levels(s string) int { return strings.Count(s, "/") + 1 }
