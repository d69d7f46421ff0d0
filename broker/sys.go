package broker

import (
	"context"
	"strconv"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/topic"
)

// figuresEvery is how often they are published, as mochi does its own.
const figuresEvery = sysInterval * time.Second

// publishFigures publishes what was refused and dropped, by reason, until ctx ends:
// retained, under $SYS/broker, as counts since the start, each when it has changed;
// what never happened is not there.
func (b *Broker) publishFigures(ctx context.Context) {
	said := map[string]uint64{}
	for tick := time.NewTicker(figuresEvery); ; {
		for name, n := range b.figures() {
			if said[name] != n {
				said[name] = n
				b.publishFigure(name, n)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

// figures are counts by topic.
func (b *Broker) figures() map[string]uint64 {
	figures := map[string]uint64{}
	for r := RefusedRate; r < refusals; r++ {
		figures["$SYS/broker/refused/"+r.String()] = b.door.turned[r].Load()
	}
	s := b.sessions.Stats()
	for reason, n := range map[string]uint64{"full": s.Full, "memory": s.Memory, "expired": s.Expired, "large": s.Large, "lost": s.Lost} {
		figures["$SYS/broker/dropped/"+reason] = n
	}
	return figures
}

func (b *Broker) publishFigure(name string, n uint64) {
	b.order.Lock()
	defer b.order.Unlock()
	m := topic.Message{Topic: name, Payload: strconv.AppendUint(nil, n, 10), Retain: true}
	b.route(publicationOf(m, packets.Properties{}, nil))
}
