package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// lanSubscriber gets all that is published and looks whether something is missing.
// One that leaves is away half of the time and goes on with its session.
type lanSubscriber struct {
	*lan
	name   string
	qos    byte
	leaves bool
	conn   *lanClient
	open   map[uint16]bool // messages of QoS 2 between PUBREC and PUBREL

	mu    sync.Mutex
	last  map[string]int // number, by publisher
	total int
	again int // of QoS 1
}

func (l *lan) subscriber(name string, qos byte, leaves bool) *lanSubscriber {
	return &lanSubscriber{lan: l, name: name, qos: qos, leaves: leaves, open: map[uint16]bool{}, last: map[string]int{}}
}

func (s *lanSubscriber) subscribe(ctx context.Context) (err error) {
	if s.conn, err = s.connect(ctx, hello{id: s.name, kept: s.leaves}); err != nil {
		return err
	}
	return s.conn.subscribe("lan/#", s.qos)
}

func (s *lanSubscriber) run(ctx context.Context) error {
	for {
		end := time.Now().Add(between(2*time.Second, 10*time.Second))
		for !s.leaves || time.Now().Before(end) {
			if err := s.take(); ctx.Err() != nil {
				return nil
			} else if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		former := s.conn
		switch rand.N(3) {
		case 0:
			former.leave()
		case 1:
			former.lose()
		}
		pause(ctx, between(0, 12*time.Second))
		var err error
		s.conn, err = s.connect(ctx, hello{id: s.name, kept: true})
		former.lose()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case !s.conn.present:
			return errors.New(s.name + " has lost its session")
		}
	}
}

// take reads one packet and does what it asks for.
func (s *lanSubscriber) take() error {
	first, body, err := s.conn.next()
	if err != nil {
		return err
	}
	if first == 0x62 && len(body) == 2 {
		n := uint16(body[0])<<8 | uint16(body[1])
		delete(s.open, n)
		return s.answer(0x70, n)
	}
	if first>>4 != publishType {
		return fmt.Errorf("unexpected packet 0x%02x % x", first, body)
	}
	m, err := parseMessage(first, body)
	if err != nil {
		return err
	}
	if m.qos < 2 || !s.open[m.id] {
		s.note(m)
	}
	switch m.qos {
	case 1:
		return s.answer(0x40, m.id)
	case 2:
		s.open[m.id] = true
		return s.answer(0x50, m.id)
	}
	return nil
}

// answer loses nothing when the connection ends meanwhile: the broker asks again.
func (s *lanSubscriber) answer(first byte, n uint16) error {
	_, err := s.conn.Write(mqttAck(first, n))
	return err
}

// note holds a message against the one before of its publisher.
func (s *lanSubscriber) note(m lanMessage) {
	got, ok := parseID(m.payload)
	if !ok {
		s.ledger.fail(fmt.Errorf("%s got %q", s.name, m.payload))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	last := s.last[got.publisher]
	switch {
	case got.number > last+1 && !strings.HasPrefix(got.publisher, "q0"):
		s.ledger.lose(got.number-last-1, fmt.Sprintf("%s got message %d of %s behind %d", s.name, got.number, got.publisher, last))
	case got.number <= last && strings.HasPrefix(got.publisher, "q1"):
		s.again++
	case got.number <= last:
		s.ledger.repeat()
	}
	s.last[got.publisher] = max(last, got.number)
}

func (s *lanSubscriber) has(publisher string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[publisher]
}

// misses says what of the promised has not come yet.
func (s *lanSubscriber) misses(promised map[string]int) (err error) {
	for name, n := range promised {
		if has := s.has(name); has < n {
			err = errors.Join(err, fmt.Errorf("%s has %d of %d messages of %s", s.name, has, n, name))
		}
	}
	return err
}

// forsake leaves a session with a subscription to which nobody ever comes back.
func (l *lan) forsake(ctx context.Context) error {
	c, err := l.connect(ctx, hello{id: "gone", kept: true})
	if err != nil {
		return err
	}
	err = c.subscribe("lan/#", 1)
	c.leave()
	return err
}

// slow subscribes, reads little and acknowledges nothing, for a while each time.
func (l *lan) slow(ctx context.Context, qos byte) {
	for ctx.Err() == nil {
		c, err := l.connect(ctx, hello{id: fmt.Sprint("slow-", qos)})
		if err != nil {
			pause(ctx, time.Second)
			continue
		}
		err = c.subscribe("lan/#", qos)
		some := make([]byte, 2048)
		for end := time.Now().Add(between(10*time.Second, 20*time.Second)); err == nil && time.Now().Before(end) && pause(ctx, 200*time.Millisecond); {
			_, err = c.Read(some)
		}
		c.lose()
	}
}
