package main

import (
	"hash/maphash"
	"sync"

	"sluice/broker/topic"
)

// ledger accounts for every message of the demo: taken by the local broker,
// arrived in the cloud. The bridge keeps order, so a message that arrives while
// an earlier one has not shows that the earlier one is lost.
type ledger struct {
	seed maphash.Seed

	mu      sync.Mutex // guards what follows
	waiting []uint64   // taken and not arrived, in order
	missing map[uint64]bool
	sums    account
}

// account is a balance of the ledger.
type account struct {
	taken      int
	delivered  int // arrived for the first time
	duplicated int // arrived again
	lost       int // overtaken by a later message, and still not there
	waits      int // on the way or in the queue
}

func newLedger() *ledger { return &ledger{seed: maphash.MakeSeed(), missing: map[uint64]bool{}} }

// taken notes a message that the local broker has accepted. Every message
// differs from all others by its time.
func (l *ledger) taken(m topic.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sums.taken++
	l.waiting = append(l.waiting, l.key(m))
}

// arrived notes a message that has reached the cloud.
func (l *ledger) arrived(m topic.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := l.key(m)
	for i, k := range l.waiting {
		if k != key {
			continue
		}
		for _, overtaken := range l.waiting[:i] {
			l.missing[overtaken] = true
		}
		l.waiting = l.waiting[i+1:]
		l.sums.delivered++
		return
	}
	if l.missing[key] {
		delete(l.missing, key)
		l.sums.delivered++
		return
	}
	l.sums.duplicated++
}

func (l *ledger) key(m topic.Message) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	h.WriteString(m.Topic)
	h.WriteByte(0)
	h.Write(m.Payload)
	return h.Sum64()
}

func (l *ledger) balance() account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.sums
	a.lost, a.waits = len(l.missing), len(l.waiting)
	return a
}
