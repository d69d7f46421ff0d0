package journal

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// FuzzRecord: what is read is written the same again, and nothing makes the readers
// fail.
func FuzzRecord(f *testing.F) {
	at := time.UnixMilli(1795237507000)
	will := &Will{Due: at, Topic: "w", Payload: []byte("x"), Properties: []byte{1, 1}, Life: time.Minute, QoS: 2, Retain: true}
	f.Add(appendState(nil, 1, State{ClientID: "c", User: "u", Expiry: time.Hour, Since: at, Will: will}))
	f.Add(appendSubscription(nil, 300, "a/#", Subscription{Options: 0x2e, Identifier: 268435455}))
	copies := []copyOf{{1, Copy{Ordinal: 9, QoS: 1}}, {2, Copy{Ordinal: 1, QoS: 2, Retain: true, Identifiers: []uint32{1, 300}}}}
	f.Add(appendMessage(head{number: 7, from: 1, id: 5, copies: copies}.append(nil), &Message{Topic: "a", Payload: []byte("x"), Expires: at}))
	p := progress{last: 20, sent: 12, cursor: 3, ahead: []span{{5, 7}, {9, 10}}, released: []uint64{4, 8}}
	f.Add(p.append(nil, 2))
	f.Add(appendIdentifier(kindFreed, 1, 65535))
	f.Add([]byte{kindProgress, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		first, ok := again(b)
		if !ok {
			return
		}
		second, ok := again(first)
		if !ok || !slices.Equal(first, second) {
			t.Errorf("%x became %x, %v", first, second, ok)
		}
	})
}

// again writes what was read.
func again(b []byte) ([]byte, bool) {
	s := &scanner{rest: b[1:]}
	if b[0] == kindMessage {
		h, ok := parseHead(s)
		if !ok {
			return nil, false
		}
		m, err := parseMessage(s)
		if err != nil {
			return nil, false
		}
		return appendMessage(h.append(nil), m), true
	}
	number := s.session()
	switch b[0] {
	case kindSession:
		st, err := parseState(s)
		return appendState(nil, number, st), err == nil
	case kindSubscription:
		filter, sub, err := parseSubscription(s)
		return appendSubscription(nil, number, filter, sub), err == nil
	case kindProgress:
		p, err := parseProgress(s)
		return p.append(nil, number), err == nil
	}
	return nil, false
}

// TestProgress compares it with a set of ordinals.
func TestProgress(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		p, settled, released := progress{cursor: 1}, map[uint64]bool{}, map[uint64]bool{}
		for range 200 {
			o := 1 + r.Uint64N(60)
			p.last = max(p.last, o)
			if r.IntN(4) == 0 && !settled[o] {
				p.release(o)
				released[o] = true
			} else {
				p.settle(o)
				settled[o] = true
				delete(released, o)
			}
			got, err := parseProgress(&scanner{rest: p.append(nil, 1)[2:]})
			if err != nil {
				t.Fatalf("seed %d: %+v: %v", seed, p, err)
			}
			for o := range uint64(62) {
				_, rel := slices.BinarySearch(got.released, o)
				if o > 0 && (got.settled(o) != settled[o] || rel != released[o]) {
					t.Fatalf("seed %d, ordinal %d: %+v", seed, o, got)
				}
			}
		}
		var open []uint64
		for o := uint64(1); o <= p.last; o++ {
			if r.IntN(5) == 0 {
				open = append(open, o)
			}
		}
		p.close(slices.Clone(open))
		for o := uint64(1); o <= p.last; o++ {
			if p.settled(o) == slices.Contains(open, o) {
				t.Fatalf("seed %d: open %v, but %+v", seed, open, p)
			}
		}
	}
}

func TestTimesOfStates(t *testing.T) {
	st := State{ClientID: "c", Expiry: time.Hour, Since: time.Now().Truncate(time.Millisecond)}
	s := &scanner{rest: appendState(nil, 1, st)[2:]}
	if got, err := parseState(s); err != nil || !got.Since.Equal(st.Since) || !reflect.DeepEqual(got.Will, st.Will) {
		t.Errorf("%+v, %v", got, err)
	}
}
