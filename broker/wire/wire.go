// Package wire checks what a client sends before anything acts on it: packets of
// MQTT 3.1, 3.1.1 and 5 must be well-formed to the last byte, and none that the
// specifications forbid whatever came before. The broker reads from its clients
// through a Reader; what it hands on can be decoded without a doubt. The package
// knows neither users nor topics nor sessions.
package wire

import "fmt"

// Packet types [MQTT 5.0 section 2.1.2].
const (
	connect     = 1
	publish     = 3
	puback      = 4
	pubrec      = 5
	pubrel      = 6
	pubcomp     = 7
	subscribe   = 8
	unsubscribe = 10
	pingreq     = 12
	disconnect  = 14
	auth        = 15

	will = 0 // stands for the will within CONNECT, which has properties of its own
)

// Reason codes [MQTT 5.0 section 2.4].
const (
	Malformed         = 0x81
	Violation         = 0x82 // of the protocol
	VersionNotKnown   = 0x84
	ClientIDNotValid  = 0x85
	TopicNameNotValid = 0x90
	AliasNotValid     = 0x94
	TooLarge          = 0x95
)

// Fault is why a packet ends the connection [MQTT-4.13.1-1].
type Fault struct {
	Reason  byte // for CONNACK or DISCONNECT in MQTT 5
	Text    string
	Version byte // of the protocol, as far as the client has said so; 0: not at all
	Most    int  // bytes of the packets that the client takes, if it has said so in this CONNECT; 0: any number
}

func (f *Fault) Error() string { return fmt.Sprintf("packet refused (0x%02x): %s", f.Reason, f.Text) }

// check returns what is wrong with a whole packet; nil if nothing is. The version
// is that of the connection; CONNECT brings its own, which is returned.
func check(packet []byte, version byte) (byte, *Fault) {
	head, _, _ := length(packet)
	c := &cursor{rest: packet[head:], version: version}
	c.body(packet[0])
	if c.fault == nil && len(c.rest) > 0 {
		c.fail(Malformed, "bytes are left over at the end")
	}
	if c.fault != nil {
		c.fault.Version, c.fault.Most = c.version, c.most
	}
	return c.version, c.fault
}

// checkFirst returns what is wrong with the first byte of a packet, if anything:
// there may never come another. Only PUBLISH has flags that say something
// [MQTT-2.1.3-1].
func checkFirst(b byte, opened bool) *Fault {
	kind, flags := b>>4, byte(0)
	switch kind {
	case publish:
		flags = b & 0xf
	case pubrel, subscribe, unsubscribe:
		flags = 2
	}
	switch {
	case (kind == connect) == opened:
		return &Fault{Reason: Violation, Text: "CONNECT is the first packet and no other"} // [MQTT-3.1.0-1] [MQTT-3.1.0-2]
	case b&0xf != flags:
		return &Fault{Reason: Malformed, Text: "the flags of the fixed header are reserved"}
	}
	return nil
}

func (c *cursor) body(first byte) {
	switch kind := first >> 4; kind {
	case connect:
		c.connect()
	case publish:
		c.publish(first)
	case puback, pubrec, pubrel, pubcomp:
		c.identifier()
		c.reason(kind)
	case subscribe:
		c.subscribe()
	case unsubscribe:
		c.unsubscribe()
	case pingreq:
	case disconnect:
		c.reason(kind)
	case auth:
		c.fail(Violation, "no authentication method was agreed on") // [MQTT-4.12.0-7]
	default:
		c.fail(Violation, "clients do not send packets of this type")
	}
}

// reason reads a reason code and properties, either of which may be left out.
func (c *cursor) reason(kind byte) {
	if c.version < 5 || len(c.rest) == 0 {
		return
	}
	c.u8()
	if len(c.rest) > 0 {
		c.properties(kind)
	}
}

// length returns the sizes of the fixed header and of the whole packet; zeros if
// more of it has to come.
func length(head []byte) (header, total int, fault *Fault) {
	remaining := 0
	for i := 1; i < len(head); i++ {
		remaining |= int(head[i]&0x7f) << (7 * (i - 1))
		if head[i] < 0x80 {
			return i + 1, i + 1 + remaining, nil
		}
		if i == 4 {
			return 0, 0, &Fault{Reason: Malformed, Text: "the remaining length has more than four bytes"}
		}
	}
	return 0, 0, nil
}
