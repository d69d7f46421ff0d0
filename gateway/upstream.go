package gateway

import (
	"log/slog"
	"path/filepath"
	"slices"

	"sluice/bridge"
	"sluice/bridge/budget"
	"sluice/bridge/queue"
	"sluice/broker/topic"
	"sluice/gateway/config"
	"sluice/gateway/presence"
)

func bridgeConfig(c config.Bridge, me *presence.Presence, keeper *presence.Keeper, linkUp <-chan struct{}) bridge.Config {
	return bridge.Config{
		ID: c.ID, Send: append([]bridge.Rule{{Match: presence.BridgeTopics, Drop: true}}, rules(c.Send)...), Receive: rules(c.Receive), KeepAlive: c.KeepAlive, LinkUp: linkUp,
		LiveFirst: liveFirst(c.Queue), LateTo: c.Queue.LateTo,
		Envelopes: bridge.Envelopes{To: c.Envelope.To, Gateway: c.Envelope.From, Age: c.Envelope.Age, Size: c.Envelope.Size},
		DialTime:  c.Profile.Dial, OpenTime: c.Profile.Open, Doubt: c.Profile.Doubt, Patience: c.Profile.Patience,
		FailBack: c.FailBack, Duty: duty(c.Connect), Rate: bridge.Rate(c.Rate),
		Will: me.Will, Birth: keeper.Birth, Born: keeper.Born, Farewell: keeper.Farewell,
		Lost: func(lane queue.Name, g queue.Gap) topic.Message {
			return me.Lost(string(lane), g.Messages, g.First, g.Last)
		},
	}
}

func duty(c config.Connect) bridge.Duty {
	d := bridge.Duty{Needed: c.Needed, Linger: c.Linger, Slot: c.For}
	if c.At != nil {
		d.Next = c.At.Next
	}
	return d
}

// openBudget opens the account of a bridge; nil when it has no limit.
func openBudget(c config.Bridge, stateDir string, log *slog.Logger) (*budget.Budget, error) {
	if c.Budget.Bytes == 0 {
		return nil, nil
	}
	file := filepath.Join(stateDir, "budget", c.ID+".json")
	return budget.Open(budget.Config{File: file, Month: c.Budget.Bytes, Day: c.Budget.Day}, log)
}

func rules(send []config.Rule) []bridge.Rule {
	out := make([]bridge.Rule, len(send))
	for i, r := range send {
		out[i] = bridge.Rule{
			Match: r.Match, Exclude: r.Exclude, Drop: r.Drop, Strip: r.Strip, To: r.To, Lane: queue.Name(r.Lane), Plain: r.StripRetain, Straight: r.QoS == 0,
		}
	}
	return out
}

// beside returns the rules by which other bridges send to the same broker.
func beside(c config.Bridge, all []config.Bridge) [][]bridge.Rule {
	var sent [][]bridge.Rule
	for _, other := range all {
		urls := append([]string{other.URL}, other.Failover...)
		same := func(url string) bool { return slices.Contains(urls, url) }
		if other.ID != c.ID && slices.ContainsFunc(append([]string{c.URL}, c.Failover...), same) {
			sent = append(sent, rules(other.Send))
			if other.Envelope.To != "" {
				sent = append(sent, []bridge.Rule{{Match: other.Envelope.To}})
			}
		}
	}
	return sent
}
