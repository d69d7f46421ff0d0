package broker

import (
	"errors"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/auth"
)

// identify finds out who connects and what that user may do, or returns the reason
// of the refusal. Passwords go no further.
func (b *Broker) identify(p *peer, cl *mqtt.Client, pk packets.Packet) packets.Code {
	user, rights, code := b.rights(p, pk)
	if code != packets.CodeSuccess {
		return code
	}
	p.user, p.grant = user, rights.For(user, cl.ID)
	return packets.CodeSuccess
}

func (b *Broker) rights(p *peer, pk packets.Packet) (user string, rights auth.Rights, code packets.Code) {
	named := pk.Connect.UsernameFlag && b.users != nil
	switch {
	case p.certified != "":
		return b.certified(p)
	case named:
		return b.login(p, string(pk.Connect.Username), string(pk.Connect.Password))
	case p.listener.Anonymous != nil:
		return "", *p.listener.Anonymous, packets.CodeSuccess
	}
	b.turnAway(RefusedLogin, p.from.String(), "err", "no user name")
	return "", auth.Rights{}, because(packets.ErrNotAuthorized, "a user name is needed here")
}

// certified returns the rights of whom the certificate names. User name and
// password in CONNECT do not count then.
func (b *Broker) certified(p *peer) (string, auth.Rights, packets.Code) {
	if b.users != nil {
		if rights, ok := b.users.Certified(p.certified); ok {
			return p.certified, rights, packets.CodeSuccess
		}
	}
	b.turnAway(RefusedUser, p.certified, "from", p.from)
	return "", auth.Rights{}, because(packets.ErrNotAuthorized, "the certificate names nobody who is known here")
}

func (b *Broker) login(p *peer, name, password string) (string, auth.Rights, packets.Code) {
	rights, err := b.users.Login(p.ctx, p.from, name, password)
	switch {
	case err == nil:
		return name, rights, packets.CodeSuccess
	case errors.Is(err, auth.ErrDenied):
		b.turnAway(RefusedLogin, p.from.String(), "err", err)
		return "", rights, packets.ErrBadUsernameOrPassword
	case errors.Is(err, auth.ErrTooMany):
		b.turnAway(RefusedLogins, p.from.String(), "err", err)
		return "", rights, because(packets.ErrConnectionRateExceeded, auth.ErrTooMany.Error())
	}
	b.turnAway(RefusedLogins, p.from.String(), "err", err)
	return "", rights, packets.ErrServerBusy
}

// readable reports whether a client may subscribe to a filter, which is valid.
func (b *Broker) readable(p *peer, filter string) bool {
	if _, rest, shared := sharedFilter(filter); shared {
		filter = rest
	}
	if p.grant.MayRead(filter) {
		return true
	}
	b.turnAway(RefusedRead, p.id(), "client", p.id(), "user", p.user, "filter", filter)
	return false
}
