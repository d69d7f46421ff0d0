package gateway

import (
	"sluice/bridge"
	"sluice/bridge/queue"
	"sluice/broker/topic"
	"sluice/gateway/config"
	"sluice/gateway/presence"
)

func bridgeConfig(c config.Bridge, me *presence.Presence, linkUp <-chan struct{}) bridge.Config {
	return bridge.Config{
		ID: c.ID, Send: rules(c.Send), KeepAlive: c.KeepAlive, LinkUp: linkUp,
		LiveFirst: liveFirst(c.Queue), LateTo: c.Queue.LateTo,
		Will: me.Will, Birth: me.Birth, Farewell: me.Farewell,
		Lost: func(lane queue.Name, g queue.Gap) topic.Message {
			return me.Lost(string(lane), g.Messages, g.First, g.Last)
		},
	}
}

func rules(send []config.Rule) []bridge.Rule {
	out := make([]bridge.Rule, len(send))
	for i, r := range send {
		out[i] = bridge.Rule{
			Match: r.Match, Exclude: r.Exclude, Drop: r.Drop, Strip: r.Strip, To: r.To, Lane: queue.Name(r.Lane), Plain: r.StripRetain,
		}
	}
	return out
}
