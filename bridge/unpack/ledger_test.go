package unpack

import (
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/bridge/envelope"
	"sluice/broker/topic"
)

// TestRuns holds the runs against a plain set.
func TestRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var l ledger
		set := map[uint64]bool{}
		for range 60 {
			n := 1 + rng.Uint64N(40)
			if rng.IntN(5) == 0 {
				l.forget(7, []uint64{n})
				delete(set, n)
			} else {
				l.add(7, []uint64{n})
				set[n] = true
			}
		}
		e := &envelope.Envelope{Epoch: 7, First: 1, Messages: make([]topic.Message, 45)}
		var want []uint64
		for n := e.First; n < e.End(); n++ {
			if !set[n] {
				want = append(want, n)
			}
		}
		if got := l.missing(e); !slices.Equal(got, want) {
			t.Fatalf("missing %d, want %d; runs %v", got, want, l.Epochs)
		}
		done := l.Epochs[0].Done
		for i := range done {
			if done[i][0] > done[i][1] || i > 0 && done[i][0] <= done[i-1][1]+1 {
				t.Fatalf("runs %v", done)
			}
		}
	}
}

// TestLedgerIsBounded: what was used last stays.
func TestLedgerIsBounded(t *testing.T) {
	var l ledger
	for id := range uint64(200) {
		l.add(id, []uint64{1})
		l.add(0, []uint64{id * 2})
	}
	if len(l.Epochs) != maxEpochs || l.epoch(0) == nil || l.epoch(199) == nil || l.epoch(1) != nil {
		t.Errorf("%d epochs", len(l.Epochs))
	}
	for n := range uint64(3000) {
		l.add(0, []uint64{n * 2})
	}
	if e := l.epoch(0); len(e.Done) != maxRuns || !e.has(5998) || e.has(5997) {
		t.Errorf("%d runs", len(e.Done))
	}
}
