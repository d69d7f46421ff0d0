package broker

import (
	"errors"
	"os"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/wire"
)

// Read gives mochi the packets that are well-formed. The first that is not ends
// the connection, and so does a silence beyond the keepalive, with the reason if the
// client can be told.
func (p *peer) Read(b []byte) (int, error) {
	n, err := p.packets.Read(b)
	if fault, ok := errors.AsType[*wire.Fault](err); ok {
		p.blame(fault)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.tell(packets.ErrKeepAliveTimeout)
	}
	return n, err
}

// blame tells the client what was wrong: with CONNACK if that was CONNECT, else
// with DISCONNECT. Before MQTT 5 only some faults of CONNECT have a code
// [MQTT-3.1.4-1].
func (p *peer) blame(f *wire.Fault) {
	if p.client.Load() != nil {
		p.broker.turnAway(faultRefusal(f), p.from.String(), "client", p.id(), "err", f)
		p.tell(packets.Code{Code: f.Reason, Reason: f.Text})
		return
	}
	var answer []byte
	switch {
	case f.Version >= 5:
		answer = connackFor(f)
	case f.Version > 0 && f.Reason == wire.VersionNotKnown:
		answer = []byte{packets.Connack << 4, 2, 0, packets.Err3UnsupportedProtocolVersion.Code}
	case f.Reason == wire.ClientIDNotValid:
		answer = []byte{packets.Connack << 4, 2, 0, packets.Err3ClientIdentifierNotValid.Code}
	}
	if answer != nil {
		_, _ = p.Write(answer)
	}
}

// connackFor refuses a CONNECT of MQTT 5, in words unless those make the packet
// larger than the client takes [MQTT-3.2.2-19].
func connackFor(f *wire.Fault) []byte {
	text := f.Text[:min(len(f.Text), 100)] // lengths below 128 have one byte
	size := byte(len(text))
	if answer := append([]byte{packets.Connack << 4, 6 + size, 0, f.Reason, 3 + size, packets.PropReasonString, 0, size}, text...); f.Most == 0 || len(answer) <= f.Most {
		return answer
	}
	return []byte{packets.Connack << 4, 3, 0, f.Reason, 0}
}

func faultRefusal(f *wire.Fault) Refusal {
	switch f.Reason {
	case wire.TooLarge:
		return RefusedSize
	case wire.AliasNotValid:
		return RefusedAlias
	}
	return RefusedPacket
}

// refusal says why the client did not get in; 0 if it just went away.
func (p *peer) refusal(err error) Refusal {
	if _, ok := errors.AsType[*wire.Fault](err); ok {
		return RefusedProtocol
	}
	return p.opening.refusal(err)
}
