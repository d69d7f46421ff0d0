package wire

import (
	"bytes"
	"math"
)

// Properties that clients send [MQTT 5.0 section 2.2.2.2].
const (
	propertyFormat          = 1
	propertyMessageExpiry   = 2
	propertyContentType     = 3
	propertyResponseTopic   = 8
	propertyCorrelation     = 9
	propertySubscription    = 11
	propertySessionExpiry   = 17
	propertyMethod          = 21
	propertyData            = 22
	propertyProblems        = 23
	propertyWillDelay       = 24
	propertyResponses       = 25
	propertyReasonString    = 31
	propertyReceiveMaximum  = 33
	propertyAliasMaximum    = 34
	propertyAlias           = 35
	propertyUser            = 38
	propertyMaximumPacket   = 39
	propertyIdentifierLimit = 64
)

// set holds the identifiers of properties that were there.
type set uint64

func (s set) has(id int) bool { return s&(1<<id) != 0 }

// properties reads those of a packet, or of the will. Each may be there once, but
// for user properties.
func (c *cursor) properties(kind byte) set {
	size := c.varint()
	inner := cursor{rest: c.take(size), fault: c.fault}
	var seen set
	for len(inner.rest) > 0 {
		id := inner.varint()
		if id >= propertyIdentifierLimit || !allowed(id, kind) {
			inner.fail(Malformed, "a property does not belong here")
			break
		}
		inner.failIf(seen.has(id) && id != propertyUser, Violation, "a property is there twice")
		seen |= 1 << id
		inner.property(id)
	}
	inner.failIf(seen.has(propertyData) && !seen.has(propertyMethod), Violation, "authentication data without method")
	c.most = max(c.most, inner.most)
	if inner.fault != nil {
		c.fault, c.rest = inner.fault, nil
	}
	return seen
}

// allowed reports whether a packet of a client may have a property.
func allowed(id int, kind byte) bool {
	switch id {
	case propertyFormat, propertyMessageExpiry, propertyContentType, propertyResponseTopic, propertyCorrelation:
		return kind == publish || kind == will
	case propertyAlias:
		return kind == publish
	case propertyWillDelay:
		return kind == will
	case propertySubscription:
		return kind == subscribe
	case propertySessionExpiry:
		return kind == connect || kind == disconnect
	case propertyMethod, propertyData, propertyProblems, propertyResponses, propertyReceiveMaximum, propertyAliasMaximum, propertyMaximumPacket:
		return kind == connect
	case propertyReasonString:
		return kind >= puback && kind <= pubcomp || kind == disconnect
	case propertyUser:
		return true
	}
	return false
}

// property reads a value and checks what it can be checked for alone.
func (c *cursor) property(id int) {
	switch id {
	case propertyFormat, propertyProblems, propertyResponses:
		c.failIf(c.u8() > 1, Violation, "a property that is a yes or no has another value")
	case propertyReceiveMaximum:
		c.failIf(c.u16() == 0, Violation, "the receive maximum is zero")
	case propertyAliasMaximum:
		c.u16()
	case propertyAlias:
		c.failIf(c.u16() == 0, AliasNotValid, "the topic alias is zero") // [MQTT-3.3.2-8]
	case propertyMaximumPacket:
		c.most = int(min(c.u32(), math.MaxInt32))
		c.failIf(c.most == 0, Violation, "the maximum packet size is zero")
	case propertyMessageExpiry, propertySessionExpiry, propertyWillDelay:
		c.u32()
	case propertySubscription:
		c.failIf(c.varint() == 0, Violation, "the subscription identifier is zero")
	case propertyCorrelation, propertyData:
		c.binary()
	case propertyResponseTopic:
		c.failIf(bytes.ContainsAny(c.text(), "+#"), Violation, "the response topic holds a wildcard") // [MQTT-3.3.2-14]
	case propertyContentType, propertyMethod, propertyReasonString:
		c.text()
	case propertyUser:
		c.text()
		c.text()
	}
}
