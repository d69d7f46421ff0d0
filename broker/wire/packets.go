package wire

import "bytes"

// Flags of CONNECT [MQTT 5.0 section 3.1.2.3].
const (
	flagReserved   = 0x01
	flagClean      = 0x02
	flagWill       = 0x04
	flagWillQoS    = 0x18
	flagWillRetain = 0x20
	flagPassword   = 0x40
	flagUser       = 0x80
)

func (c *cursor) connect() {
	c.protocol()
	flags := c.u8()
	c.u16() // keep alive
	if c.version >= 5 {
		c.properties(connect) // with the size of the answer that the client takes
	}
	c.failIf(flags&flagReserved != 0, Malformed, "the reserved flag of CONNECT is set")
	id := c.text()
	c.failIf(len(id) == 0 && c.version < 5 && flags&flagClean == 0, ClientIDNotValid, "a session that is kept needs a client identifier") // [MQTT-3.1.3-8]
	c.will(flags)
	if flags&flagUser != 0 {
		c.text()
	}
	c.failIf(flags&(flagUser|flagPassword) == flagPassword && c.version < 5, Malformed, "a password without user name") // [MQTT-3.1.2-22]
	if flags&flagPassword != 0 {
		c.binary()
	}
}

// protocol reads the name and version of the protocol.
func (c *cursor) protocol() {
	name, level := string(c.text()), c.u8()
	if c.fault != nil {
		return
	}
	c.version = level
	switch {
	case name == "MQTT" && (level == 4 || level == 5), name == "MQIsdp" && level == 3:
	case name == "MQTT" || name == "MQIsdp":
		c.fail(VersionNotKnown, "this version of the protocol is not known") // [MQTT-3.1.2-2]
	default:
		c.version = 0
		c.fail(Violation, "this protocol is not known") // [MQTT-3.1.2-1]
	}
}

// will reads the will, which is either there as a whole or not at all.
func (c *cursor) will(flags byte) {
	if flags&flagWill == 0 {
		c.failIf(flags&(flagWillQoS|flagWillRetain) != 0, Malformed, "flags of a will without will")
		return
	}
	c.failIf(flags&flagWillQoS == flagWillQoS, Malformed, "the QoS of the will is 3")
	if c.version >= 5 {
		c.properties(will)
	}
	c.failIf(len(c.text()) == 0, TopicNameNotValid, "the topic of the will is empty")
	c.binary()
}

func (c *cursor) publish(first byte) {
	qos := first >> 1 & 3
	c.failIf(qos == 3, Malformed, "the QoS is 3")                                            // [MQTT-3.3.1-4]
	c.failIf(qos == 0 && first&8 != 0, Malformed, "a message of QoS 0 cannot be sent again") // [MQTT-3.3.1-2]
	topic := c.text()
	c.failIf(bytes.ContainsAny(topic, "+#"), Violation, "a topic name holds a wildcard") // [MQTT-3.3.2-2]
	if qos > 0 {
		c.identifier()
	}
	aliased := c.version >= 5 && c.properties(publish).has(propertyAlias)
	c.failIf(len(topic) == 0 && !aliased, Violation, "a message without topic")
	c.rest = nil // the payload
}

func (c *cursor) subscribe() {
	c.identifier()
	if c.version >= 5 {
		c.properties(subscribe)
	}
	c.failIf(len(c.rest) == 0, Violation, "SUBSCRIBE without topic filter") // [MQTT-3.8.3-2]
	for len(c.rest) > 0 {
		filter := c.filter()
		c.options(c.u8(), bytes.HasPrefix(filter, []byte("$share/")))
	}
}

// options checks those of a subscription [MQTT 5.0 section 3.8.3.1].
func (c *cursor) options(o byte, shared bool) {
	if c.version < 5 {
		c.failIf(o > 2, Malformed, "reserved bits of the QoS of a subscription are set")
		return
	}
	c.failIf(o&0xc0 != 0, Malformed, "reserved options of a subscription are set") // [MQTT-3.8.3-5]
	c.failIf(o&3 == 3, Violation, "the QoS of a subscription is 3")
	c.failIf(o&0x30 == 0x30, Violation, "the retain handling of a subscription is 3")
	c.failIf(o&4 != 0 && shared, Violation, "a shared subscription cannot be no local") // [MQTT-3.8.3-4]
}

func (c *cursor) unsubscribe() {
	c.identifier()
	if c.version >= 5 {
		c.properties(unsubscribe)
	}
	c.failIf(len(c.rest) == 0, Violation, "UNSUBSCRIBE without topic filter") // [MQTT-3.10.3-2]
	for len(c.rest) > 0 {
		c.filter()
	}
}
