package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"sluice/test/link"
	"sluice/test/remote"
)

const (
	bridgeTopic  = "plant/line/meter/power"
	alarmTopic   = "plant/alarm"
	bridgeSize   = 230 // bytes of topic and payload
	alarmEvery   = 3 * time.Second
	bridgeFactor = 2 // a run that takes so many times as long as it might is ended

	usualRate = 64_000 // bit/s
	usualTrip = 600 * time.Millisecond
)

// relay is a program that stores messages and forwards them to upstream.
type relay interface {
	// load gives it n numbered messages; it begins to send at once.
	load(ctx context.Context, n int) error
	// alarm publishes one message that should not wait.
	alarm(ctx context.Context, payload []byte) error
	close()
}

// relays are who is compared.
var relays = map[string]func(upstream, dir string) (relay, error){
	"sluice":    newSluiceRelay,
	"mosquitto": newMosquittoRelay,
	"paho":      newPahoRelay,
}

// weather is one link and what happens to it.
type weather struct {
	rate int // bit/s
	rtt  time.Duration
	cuts bool
}

func (w weather) String() string {
	s := fmt.Sprintf("%.4g kbit/s %v", float64(w.rate)/1000, w.rtt)
	if w.cuts {
		s += ", cuts"
	}
	return s
}

// bridgeBench has each stack drain a backlog over each link, all at the same time:
// they wait for links, not for the processor. goodput is topics and payloads as a
// share of what the link carries while it is up.
func bridgeBench(ctx context.Context, o options) ([]row, error) {
	var rows []row
	var errs []error
	var mu sync.Mutex
	var runs sync.WaitGroup
	for _, d := range drains(o) {
		for _, stack := range []string{"sluice", "mosquitto", "paho"} {
			if !o.wants(stack) {
				continue
			}
			rows = append(rows, row{"bridge", stack, d.String(), nil})
			i := len(rows) - 1
			runs.Go(func() {
				f, err := d.run(ctx, stack)
				mu.Lock()
				defer mu.Unlock()
				rows[i].Figures = f
				if err != nil {
					errs = append(errs, fmt.Errorf("%s, %v: %w", stack, d, err))
				}
			})
		}
	}
	runs.Wait()
	return rows, errors.Join(errs...)
}

// drain is a backlog and the link it has to pass.
type drain struct {
	weather
	messages int
}

// drains are the cases: as many messages as each link carries in five minutes, or
// those asked for over one link.
func drains(o options) []drain {
	links := map[int]int{9600: 1500, usualRate: 10_000, 256_000: 40_000}
	trips := []time.Duration{usualTrip, 1500 * time.Millisecond}
	switch {
	case o.drain > 0:
		links, trips = map[int]int{usualRate: o.drain}, trips[:1]
	case o.short:
		links = map[int]int{usualRate: 2500}
	}
	var all []drain
	for _, rate := range slices.Sorted(maps.Keys(links)) {
		for _, rtt := range trips {
			for _, cuts := range []bool{false, true} {
				all = append(all, drain{weather{rate, rtt, cuts}, links[rate]})
			}
		}
	}
	return all
}

// run measures one.
func (d drain) run(ctx context.Context, stack string) (figures, error) {
	w, n := d.weather, d.messages
	span := time.Duration(n*bridgeSize*8) * time.Second / time.Duration(w.rate)
	ctx, cancel := context.WithTimeout(ctx, bridgeFactor*span)
	defer cancel()
	count := newTally(n)
	broker := &remote.Broker{Judge: count.note}
	l := link.New(link.Config{Rate: w.rate / 8, RTT: w.rtt}, broker.Serve)
	proxy, err := l.Listen()
	if err != nil {
		return nil, err
	}
	dir, leave, err := scratch()
	if err != nil {
		return nil, err
	}
	defer leave()
	defer proxy.Close()
	r, err := relays[stack](proxy.Addr(), dir)
	if err != nil {
		return nil, err
	}
	defer r.close()
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()
	begun, stormed := time.Now(), error(nil)
	if err := r.load(ctx, n); err != nil {
		return nil, err
	}
	if w.cuts {
		tasks.Go(func() { stormed = storm(ctx, proxy); cancel() })
	}
	tasks.Go(func() { raise(ctx, r, count.begun) })
	select {
	case <-count.all:
	case <-ctx.Done():
	}
	f := count.figures(w, time.Since(begun), l.Stats().Away)
	cancel()
	tasks.Wait()
	return f, stormed
}

// storm cuts a link every 20 to 60 s for 2 to 10 s, by a reset, half-open and a
// fade in turn. It is the same for everybody.
func storm(ctx context.Context, p *link.Proxy) error {
	rng := rand.New(rand.NewPCG(1, 1))
	for i := 0; ; i++ {
		select {
		case <-time.After(time.Duration(20+rng.IntN(40)) * time.Second):
		case <-ctx.Done():
			return nil
		}
		how := []link.Outage{link.Reset, link.HalfOpen, link.Fade}[i%3]
		if err := p.Cut(ctx, how, time.Duration(2+rng.IntN(8))*time.Second); err != nil {
			return err
		}
	}
}

// raise publishes alarms that say when, once the drain has begun.
func raise(ctx context.Context, r relay, begun <-chan struct{}) {
	select {
	case <-begun:
	case <-ctx.Done():
	}
	for {
		select {
		case <-time.After(alarmEvery):
		case <-ctx.Done():
			return
		}
		r.alarm(ctx, binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano())))
	}
}

// tally counts what arrives.
type tally struct {
	begun chan struct{} // closed when something has arrived
	all   chan struct{} // closed when everything has

	mu                    sync.Mutex
	seen                  []bool
	left, again, backward int
	newest                uint32
	alarms                []time.Duration
}

func newTally(n int) *tally {
	return &tally{begun: make(chan struct{}), all: make(chan struct{}), seen: make([]bool, n), left: n}
}

func (t *tally) note(m remote.Message) remote.Verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case m.Topic == alarmTopic && len(m.Payload) == 8:
		t.alarms = append(t.alarms, time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(m.Payload)))))
		return remote.Acknowledge
	case m.Topic != bridgeTopic || len(m.Payload) < 4:
		return remote.Acknowledge
	}
	number := binary.BigEndian.Uint32(m.Payload)
	switch {
	case t.seen[number]:
		t.again++
		return remote.Acknowledge
	case number < t.newest:
		t.backward++
	}
	if t.left == len(t.seen) {
		close(t.begun)
	}
	t.seen[number], t.newest = true, max(t.newest, number)
	if t.left--; t.left == 0 {
		close(t.all)
	}
	return remote.Acknowledge
}

func (t *tally) figures(w weather, took, away time.Duration) figures {
	t.mu.Lock()
	defer t.mu.Unlock()
	bytes := (len(t.seen)-t.left)*bridgeSize + len(t.alarms)*(len(alarmTopic)+8)
	f := figures{
		"goodput":    float64(bytes*8) / float64(w.rate) / (took - away).Seconds(),
		"messages":   float64(len(t.seen)),
		"drain_s":    took.Seconds(),
		"missing":    float64(t.left),
		"duplicated": float64(t.again),
		"reordered":  float64(t.backward),
		"alarms":     float64(len(t.alarms)),
	}
	if slices.Sort(t.alarms); len(t.alarms) > 0 {
		f["alarm_p50_s"] = t.alarms[len(t.alarms)/2].Seconds()
		f["alarm_p99_s"] = t.alarms[len(t.alarms)*99/100].Seconds()
		f["alarm_max_s"] = t.alarms[len(t.alarms)-1].Seconds()
	}
	return f
}

// bridgePayload is the content of message i.
func bridgePayload(i int) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(i)), make([]byte, bridgeSize-len(bridgeTopic)-4)...)
}
