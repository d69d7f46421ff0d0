package broker

import (
	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/wire"
)

// aliases are what the client of one connection calls topics by [MQTT 5.0 section
// 3.3.2.3.4]. They end with it.
type aliases map[uint16]string

// resolve puts the topic in place of its alias in a PUBLISH, and takes note of a new
// one; most is the highest alias.
func (a *aliases) resolve(pk *packets.Packet, most int) *wire.Fault {
	if !pk.Properties.TopicAliasFlag {
		return nil
	}
	alias := pk.Properties.TopicAlias
	pk.Properties.TopicAlias, pk.Properties.TopicAliasFlag = 0, false
	if alias == 0 || int(alias) > most {
		return &wire.Fault{Reason: wire.AliasNotValid, Text: "a topic alias beyond the maximum", Version: 5} // [MQTT-3.2.2-17]
	}
	if pk.TopicName == "" {
		known, ok := (*a)[alias]
		if !ok {
			return &wire.Fault{Reason: wire.Violation, Text: "a topic alias that stands for nothing", Version: 5}
		}
		pk.TopicName = known
		return nil
	}
	if *a == nil {
		*a = aliases{}
	}
	(*a)[alias] = pk.TopicName
	return nil
}
