package bridge_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sluice/bridge"
	"sluice/broker/topic"
)

func straight(i int) topic.Message {
	return topic.Message{Topic: "now/v", Payload: fmt.Appendf(nil, "%03d", i), QoS: 1}
}

// straightRig sends what is below now/ straight, the rest by the queue.
func straightRig(g *rig) {
	g.cfg.Send = []bridge.Rule{{Match: "now/#", Straight: true}, {Match: "#"}}
	g.stop()
	g.open()
	g.run()
}

// offerStraight offers messages, none of which anybody has to wait for.
func (g *rig) offerStraight(from, to int) {
	g.Helper()
	for i := from; i < to; i++ {
		if wait, err := g.bridge.Offer(straight(i)); wait != nil || err != nil {
			g.Fatal("something to wait for, or", err)
		}
	}
}

// straightArrivals returns the numbers that arrived straight, and how many of them
// with QoS 0.
func (g *rig) straightArrivals() (numbers []int, unasked int) {
	for _, a := range g.remote.received() {
		if a.message.Topic != "now/v" {
			continue
		}
		var n int
		fmt.Sscanf(string(a.message.Payload), "%d", &n)
		numbers = append(numbers, n)
		if a.message.QoS == unanswered {
			unasked++
		}
	}
	return numbers, unasked
}

// Straight messages arrive in order and at once, nothing of them is on flash, and
// what came while there was no connection never arrives.
func TestStraight(t *testing.T) {
	bubble(t, &remote{rtt: 100 * time.Millisecond}, func(g *rig) {
		straightRig(g)
		g.offerStraight(0, 5) // nobody is there yet
		pass(time.Second)
		for i := 5; i < 300; i++ {
			g.offerStraight(i, i+1)
			pass(20 * time.Millisecond)
		}
		pass(time.Second)
		numbers, unasked := g.straightArrivals()
		if want := upTo(5, 300); !slices.Equal(numbers, want) {
			t.Errorf("arrived %v", numbers)
		}
		if unasked < 280 || unasked == 295 {
			t.Errorf("%d of %d with QoS 0: one in so many bytes should ask for an answer", unasked, len(numbers))
		}
		if s := g.bridge.Stats(); s.Straight != 295 || s.Missed != 5 || s.InFlight != 0 || g.telemetry().Appended != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func upTo(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// What is sent straight and the lanes share the link, and neither starves.
func TestStraightBesideABacklog(t *testing.T) {
	bubble(t, &remote{rtt: 600 * time.Millisecond}, func(g *rig) {
		straightRig(g)
		g.offer(0, 2000)
		for i := range 500 {
			g.offerStraight(i, i+1)
			pass(20 * time.Millisecond)
		}
		pass(time.Minute)
		s := g.bridge.Stats()
		if s.Backlog() > 0 || s.Straight+s.Missed != 500 || s.Straight < 400 {
			t.Errorf("stats %+v", s)
		}
		if numbers, _ := g.straightArrivals(); !slices.IsSorted(numbers) || len(numbers) != int(s.Straight) {
			t.Errorf("arrived %v", numbers)
		}
	})
}

// A connection that ends takes along what waits to be sent straight, and nothing
// comes twice.
func TestStraightIsNotRepeated(t *testing.T) {
	bubble(t, &remote{rtt: time.Second}, func(g *rig) {
		straightRig(g)
		pass(5 * time.Second)
		g.offerStraight(0, 200)
		pass(100 * time.Millisecond)
		g.remote.last().end(errCut, false)
		pass(30 * time.Second)
		g.offerStraight(200, 210)
		pass(5 * time.Second)
		numbers, _ := g.straightArrivals()
		if !slices.IsSorted(numbers) || len(slices.Compact(slices.Clone(numbers))) != len(numbers) {
			t.Errorf("arrived %v", numbers)
		}
		if n := len(numbers); n < 10 || !slices.Equal(numbers[n-10:], upTo(200, 210)) {
			t.Errorf("the last to arrive: %v", numbers)
		}
		if s := g.bridge.Stats(); s.Straight+s.Missed != 210 || s.Reconnects != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}
