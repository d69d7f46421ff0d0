package retain_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/retain"
	"sluice/gateway/durable/durabletest"
)

var courses = flag.Int("courses", 100, "random courses of the test of power cuts")

// life is a store between a start and its end.
type life struct {
	*retain.Store
	cancel context.CancelFunc
	ended  chan error
}

func live(t *testing.T, disk *durabletest.Disk, cfg retain.Config) *life {
	t.Helper()
	s, err := retain.OpenFS(disk.Start(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{s, cancel, make(chan error, 1)}
	go func() { l.ended <- s.Run(ctx) }()
	return l
}

// end stops the store in good order, or what is left of it without a disk.
func (l *life) end() error {
	l.cancel()
	err := <-l.ended
	l.ended <- nil
	return errors.Join(err, l.Close())
}

func message(name, payload string) retain.Message {
	return retain.Message{Topic: name, Payload: []byte(payload), QoS: 1}
}

func payloads(s *retain.Store) string {
	var out []string
	for _, m := range s.Messages() {
		out = append(out, m.Topic+"="+string(m.Payload))
	}
	return fmt.Sprint(out)
}

func want(t *testing.T, s *retain.Store, messages string) {
	t.Helper()
	if got := payloads(s); got != messages {
		t.Errorf("got %s, want %s", got, messages)
	}
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		l := live(t, disk, retain.Config{})
		want(t, l.Store, "[]")
		l.Later(message("a", "1"))
		l.Later(message("b", "1"))
		l.Later(message("gone", "1"))
		full := retain.Message{Topic: "full", Payload: []byte("x"), Properties: []byte{1, 1}, QoS: 2, Expires: time.Now().Add(time.Hour)}
		if err := l.Keep(full)(t.Context()); err != nil {
			t.Error(err)
		}
		l.Later(message("a", "2"))
		l.Later(message("gone", ""))
		l.Later(message("never", ""))
		if err := l.end(); err != nil {
			t.Error(err)
		}
		l = live(t, disk, retain.Config{})
		got := l.Messages()
		i := slices.IndexFunc(got, func(m retain.Message) bool { return m.Topic == "full" })
		if len(got) != 3 || i < 0 || !bytes.Equal(got[i].Properties, full.Properties) || got[i].QoS != 2 || !got[i].Expires.Equal(full.Expires.Truncate(time.Millisecond)) {
			t.Errorf("got %+v", got)
		}
		if err := l.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestWhatIsLost: a power cut costs what nobody waited for and is younger than
// Every, and that is written once however often it changes.
func TestWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		l := live(t, disk, retain.Config{Every: time.Minute})
		before := disk.Stats().Written
		for i := range 90 { // until 1:29
			l.Later(message("value", strconv.Itoa(i)))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got := disk.Stats().Written - before; got > 20<<10 {
			t.Errorf("%d bytes are written for one value in 90 s", got)
		}
		if err := l.Keep(message("waited for", "x"))(t.Context()); err != nil {
			t.Error(err)
		}
		disk.Cut()
		_ = l.end() // there is no disk any more
		l = live(t, disk, retain.Config{})
		got := payloads(l.Store)
		if got != "[value=59 waited for=x]" && got != "[value=60 waited for=x]" {
			t.Errorf("got %s", got)
		}
		if err := l.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestDiskFails: those who wait are told, and what they published is written when
// the disk is back.
func TestDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		l := live(t, disk, retain.Config{})
		if err := l.Keep(message("b", "1"))(t.Context()); err != nil {
			t.Error(err)
		}
		disk.SetFaults(durabletest.Faults{Sync: func(string) bool { return true }})
		for _, m := range []retain.Message{message("a", "1"), message("b", "")} {
			if err := l.Keep(m)(t.Context()); err == nil {
				t.Errorf("%s is kept", m.Topic)
			}
		}
		disk.SetFaults(durabletest.Faults{})
		time.Sleep(time.Minute)
		synctest.Wait()
		disk.Cut()
		_ = l.end()
		l = live(t, disk, retain.Config{})
		want(t, l.Store, "[a=1]")
		if err := l.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestClose(t *testing.T) {
	s, err := retain.OpenFS(durabletest.New(1).Start(), retain.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wait := s.Keep(message("a", "1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wait(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := wait(t.Context()); !errors.Is(err, retain.ErrClosed) {
		t.Error(err)
	}
}

// TestPowerCuts changes topics at random while the power fails or the process is
// killed: what was waited for is there afterwards, or something newer, and nothing
// that was never published or is older.
func TestPowerCuts(t *testing.T) {
	for seed := range uint64(*courses) {
		synctest.Test(t, func(t *testing.T) { course(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func course(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 3))
	disk := durabletest.New(seed)
	cfg := retain.Config{Every: 10 * time.Second}.Small()
	const topics = 12
	var published, promised [topics]int // versions; every fifth removes
	for range 6 {
		l := live(t, disk, cfg)
		check(t, l.Messages(), published, promised)
		before := published
		if r.IntN(2) == 0 {
			disk.CutAfter(1 + r.IntN(300))
		}
		for range r.IntN(250) {
			i := r.IntN(topics)
			published[i]++
			m := version(i, published[i])
			if r.IntN(3) == 0 {
				l.Later(m)
				continue
			}
			now := published
			if wait := l.Keep(m); r.IntN(3) == 0 && wait(t.Context()) == nil {
				promised[i] = max(promised[i], now[i])
			}
			if r.IntN(20) == 0 {
				time.Sleep(time.Duration(r.IntN(12)) * time.Second)
			}
		}
		switch r.IntN(3) {
		case 0:
			disk.Kill()
		case 1:
			disk.Cut()
		case 2:
			if l.end() == nil {
				for i := range topics {
					if published[i] > before[i] {
						promised[i] = published[i]
					}
				}
			}
		}
		_ = l.end() // again, or without a disk
		disk.Kill()
		disk.CutAfter(0)
	}
}

func version(topic, n int) retain.Message {
	m := message(fmt.Sprint(topic), "")
	if n%5 > 0 {
		m.Payload = fmt.Appendf(nil, "%d %s", n, bytes.Repeat([]byte("x"), 1500))
	}
	return m
}

func check(t *testing.T, messages []retain.Message, published, promised [12]int) {
	t.Helper()
	var got [12]int
	for _, m := range messages {
		i, _ := strconv.Atoi(m.Topic)
		if _, err := fmt.Sscan(string(m.Payload), &got[i]); err != nil {
			t.Error(err)
		}
	}
	for i, n := range got {
		if n > published[i] {
			t.Errorf("topic %d has version %d of %d", i, n, published[i])
		}
		if n == 0 { // removed, by some version since the promise
			if last := published[i] - published[i]%5; promised[i] > 0 && last < promised[i] {
				t.Errorf("topic %d has nothing, version %d was promised", i, promised[i])
			}
		} else if n < promised[i] {
			t.Errorf("topic %d has version %d, %d was promised", i, n, promised[i])
		}
	}
}
