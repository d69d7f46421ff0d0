package main

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// comeAndGo is by how much goroutines and open files may differ because the last
// quarter had other clients connected than the second one.
const comeAndGo = 8

const mostGaps = 20 // that are printed

// ledger is what the broker promised and what was found broken of it.
type ledger struct {
	kept     keptNumbers
	compared atomic.Int64 // sets of retained messages

	mu          sync.Mutex
	safe        map[string]int // number up to which all was acknowledged, by publisher
	lost, twice int
	gaps        []string
	errs        []error
}

func (l *ledger) acked(publisher string, number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.safe == nil {
		l.safe = map[string]int{}
	}
	l.safe[publisher] = number
}

func (l *ledger) promised() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.safe)
}

// lose notes that messages are missing, and of the first gaps where.
func (l *ledger) lose(n int, where string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost += n; len(l.gaps) < mostGaps {
		l.gaps = append(l.gaps, time.Now().Format(time.TimeOnly)+" "+where)
	}
}

func (l *ledger) repeat() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.twice++
}

// fail notes an error; nil is none.
func (l *ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.errs = append(l.errs, err)
	}
}

func (l *ledger) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	errs := l.errs
	if l.lost > 0 {
		errs = append(errs, fmt.Errorf("%d messages were lost:\n  %s", l.lost, strings.Join(l.gaps, "\n  ")))
	}
	if l.twice > 0 {
		errs = append(errs, fmt.Errorf("%d messages came twice", l.twice))
	}
	if len(l.safe) == 0 {
		errs = append(errs, errors.New("nothing was acknowledged"))
	}
	return errors.Join(errs...)
}

func (l *lan) String() string {
	var b strings.Builder
	total := 0
	for _, n := range l.ledger.promised() {
		total += n
	}
	fmt.Fprintf(&b, "acknowledged %d messages and wills, %d sets of %d retained messages compared\n", total, l.ledger.compared.Load(), keptTopics)
	for _, s := range l.judged {
		s.mu.Lock()
		fmt.Fprintf(&b, "  %s got %d, %d of them of QoS 1 again\n", s.name, s.total, s.again)
		s.mu.Unlock()
	}
	return b.String()
}
