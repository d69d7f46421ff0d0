package poll_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/gateway/poll"
	"sluice/mapping"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

var line = modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}

// site is a bus of pretended devices: what was asked when, and what came of it.
type site struct {
	start   time.Time
	takes   time.Duration // of an exchange
	answers map[modbus.UnitID]func() ([]byte, error)
	reply   func(modbus.Request) ([]byte, error) // for any unit, if set
	asked   []asked
	emitted []point.Reading
	back    chan struct{}
	memory  string // path of the memory file
	jitter  time.Duration
	log     strings.Builder // warnings
}

type asked struct {
	unit modbus.UnitID
	what string        // address+count of a read, address=value of a write
	at   time.Duration // since the start
	wait time.Duration // the timeout
}

func (s *site) exchange(ctx context.Context, req modbus.Request, t modbus.Timing) (poll.Response, error) {
	begin := time.Now()
	what := fmt.Sprintf("%d+%d", req.Address, req.Count)
	if len(req.Data) > 0 {
		what = fmt.Sprintf("%d=%d", req.Address, binary.BigEndian.Uint16(req.Data))
	}
	s.asked = append(s.asked, asked{req.Unit, what, time.Since(s.start), t.Timeout})
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return poll.Response{}, ctx.Err()
	}
	data, err := make([]byte, 2*req.Count), error(nil)
	if answer := s.answers[req.Unit]; answer != nil {
		data, err = answer()
	} else if s.reply != nil {
		data, err = s.reply(req)
	}
	return poll.Response{Data: data, At: time.Now(), Latency: time.Since(begin)}, err
}

func (s *site) emit(_ context.Context, readings []point.Reading) {
	s.emitted = append(s.emitted, readings...)
}

// run polls devices for d in virtual time.
func (s *site) run(t *testing.T, d time.Duration, devices ...mapping.Device) *poll.Poller {
	s.start = time.Now()
	s.asked, s.emitted = nil, nil
	p := poll.New(poll.Config{
		Bus: "b", Line: line, Jitter: s.jitter, Devices: devices, Exchange: s.exchange, Command: s.exchange, Emit: s.emit, Back: s.back, Memory: s.memory,
	}, slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := p.Run(ctx); err != nil {
		t.Error(err)
	}
	return p
}

// times returns when a unit was asked.
func (s *site) times(unit modbus.UnitID) []time.Duration {
	var at []time.Duration
	for _, a := range s.asked {
		if a.unit == unit {
			at = append(at, a.at)
		}
	}
	return at
}

// requests returns what was asked, in order.
func (s *site) requests() string {
	var out []string
	for _, a := range s.asked {
		out = append(out, a.what)
	}
	return strings.Join(out, " ")
}

// quality is what was last said of a point of the first device.
func (s *site) quality(id string) (q point.Quality) {
	for _, r := range s.emitted {
		if r.Point == id {
			q = r.Quality
		}
	}
	return q
}

func device(unit modbus.UnitID, every ...time.Duration) mapping.Device {
	l, err := layout.New(layout.Config{Type: layout.Uint16})
	if err != nil {
		panic(err)
	}
	d := mapping.Device{ID: fmt.Sprint("d", unit), Unit: unit, Timeout: time.Second, OfflineAfter: 3}
	for i, e := range every {
		d.Points = append(d.Points, mapping.Point{
			ID: fmt.Sprint("p", i), Register: mapping.Register{Table: mapping.Holding, Address: uint16(200 * i)}, Layout: l, Interval: e,
		})
	}
	return d
}

func silent() ([]byte, error) { return nil, &modbus.Error{Fault: modbus.Silent} }

const ms = time.Millisecond

func TestPollsKeepTheirPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		p := s.run(t, 350*ms, device(1, 100*ms), device(2, 150*ms))
		if want := []time.Duration{0, 100 * ms, 200 * ms, 300 * ms}; !slices.Equal(s.times(1), want) {
			t.Errorf("unit 1 asked at %v, want %v", s.times(1), want)
		}
		if want := []time.Duration{10 * ms, 150 * ms, 310 * ms}; !slices.Equal(s.times(2), want) {
			t.Errorf("unit 2 asked at %v, want %v", s.times(2), want)
		}
		if st := p.Stats(); st.Polls != 7 || st.Overruns != 0 || st.Devices != 2 || st.Offline != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}

// A port that was away is not waited for until the next period.
func TestReadsAtOnceWhenThePortIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := make(chan struct{}, 1)
		s := &site{takes: 10 * ms, back: back}
		s.answers = map[modbus.UnitID]func() ([]byte, error){1: func() ([]byte, error) {
			if time.Since(s.start) < 100*ms {
				return nil, &modbus.Error{Fault: modbus.Medium}
			}
			return []byte{0, 7}, nil
		}}
		time.AfterFunc(300*ms, func() { back <- struct{}{} })
		p := s.run(t, 2*time.Hour+ms, device(1, time.Hour))
		if want := []time.Duration{0, 300 * ms, time.Hour, 2 * time.Hour}; !slices.Equal(s.times(1), want) {
			t.Errorf("asked at %v, want %v", s.times(1), want)
		}
		if st := p.Stats(); st.Overruns != 0 {
			t.Errorf("%d overruns", st.Overruns)
		}
	})
}

func TestPassedPeriodsAreCountedNotMadeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		slow := true
		s.answers = map[modbus.UnitID]func() ([]byte, error){1: func() ([]byte, error) {
			if slow {
				slow = false
				time.Sleep(340 * ms)
			}
			return []byte{0, 7}, nil
		}}
		p := s.run(t, 650*ms, device(1, 100*ms))
		if want := []time.Duration{0, 350 * ms, 400 * ms, 500 * ms, 600 * ms}; !slices.Equal(s.times(1), want) {
			t.Errorf("asked at %v, want %v", s.times(1), want)
		}
		if st := p.Stats(); st.Overruns != 2 {
			t.Errorf("%d overruns, want 2", st.Overruns)
		}
	})
}

func TestOneDisturbedExchangeIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		n := 0
		s.answers = map[modbus.UnitID]func() ([]byte, error){1: func() ([]byte, error) {
			if n++; n == 2 {
				return nil, &modbus.Error{Fault: modbus.Frame}
			}
			return []byte{0, 7}, nil
		}}
		s.run(t, 250*ms, device(1, 100*ms))
		if want := []time.Duration{0, 100 * ms, 110 * ms, 200 * ms}; !slices.Equal(s.times(1), want) {
			t.Errorf("asked at %v, want %v", s.times(1), want)
		}
		for _, r := range s.emitted {
			if r.Quality != point.Good {
				t.Errorf("reading %+v, want it good", r)
			}
		}
	})
}

// TestDeadDeviceIsTriedEverMoreRarely has a device that never answers: three tries
// until it is offline, then one at growing, uneven distances.
func TestDeadDeviceIsTriedEverMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms, answers: map[modbus.UnitID]func() ([]byte, error){1: silent}}
		d := device(1, 100*ms, 100*ms)
		d.OfflineTime, d.Timeout = 3*time.Second, 10*ms
		p := s.run(t, 5*time.Minute, d, device(2, 100*ms))
		at := s.times(1)
		sec := time.Second
		for i, bounds := range [][2]time.Duration{{0, 20 * ms}, {100 * ms, 200 * ms}, {400 * ms, 500 * ms}, {sec, 1100 * ms}, {sec, 1100 * ms}, {sec, 1100 * ms},
			{sec, 2100 * ms}, {2 * sec, 4100 * ms}, {4 * sec, 9 * sec}, {4500 * ms, 10 * sec}, {4500 * ms, 10 * sec}} {
			pause := at[i]
			if i > 0 {
				pause -= at[i-1]
			}
			if pause < bounds[0] || pause > bounds[1] {
				t.Errorf("try %d came %v after the one before, want %v to %v", i, pause, bounds[0], bounds[1])
			}
		}
		if n := len(at); n < 30 || n > 70 {
			t.Errorf("%d tries in 5 minutes, want one in 4.5 to 9 s", n)
		}
		if got := len(s.times(2)); got < 2999 {
			t.Errorf("the other unit was asked %d times, want 3000", got)
		}
		if st := p.Stats(); st.Offline != 1 || st.Unanswered != time.Duration(len(at))*10*ms {
			t.Errorf("stats %+v, want one device offline", st)
		}
	})
}

// A port that is down answers at once: whoever asks it without a pause asks
// without an end.
func TestPortDownWhileADeviceIsOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: ms}
		s.answers = map[modbus.UnitID]func() ([]byte, error){1: func() ([]byte, error) {
			if time.Since(s.start) < 5*time.Second {
				return silent()
			}
			return nil, &modbus.Error{Fault: modbus.Medium}
		}}
		s.run(t, time.Minute, device(1, 100*ms))
		if n := len(s.asked); n > 60 {
			t.Errorf("asked %d times in a minute", n)
		}
	})
}

func TestValuesOfALostDeviceTurnBadAndComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		s.answers = map[modbus.UnitID]func() ([]byte, error){1: func() ([]byte, error) {
			if time.Since(s.start) < 5*time.Second {
				return silent()
			}
			return []byte{0, 7}, nil
		}}
		p := s.run(t, 16*time.Second, device(1, time.Second, time.Hour))
		bad := map[string]int{}
		var good []string
		for _, r := range s.emitted {
			if r.Quality == point.Bad {
				bad[r.Point+" "+r.Reason]++
			} else {
				good = append(good, r.Point)
			}
		}
		if bad["p0 offline: timeout"] != 1 || bad["p1 offline: timeout"] != 1 {
			t.Errorf("bad readings %v, want each point to turn bad once", bad)
		}
		if want := []string{"p0", "p1"}; len(good) < 2 || !slices.Equal(good[:2], want) {
			t.Errorf("good readings %v, want %v: all blocks at once on return", good, want)
		}
		if st := p.Stats(); st.Offline != 0 {
			t.Errorf("stats %+v, want no device offline", st)
		}
	})
}

func TestAnswersThatAreNoValues(t *testing.T) {
	for _, tt := range []struct {
		err     error
		reason  string
		offline int
	}{
		{&modbus.Error{Fault: modbus.Refused, Exception: 2}, "exception 2", 0},
		{&modbus.Error{Fault: modbus.Busy, Exception: 6}, "exception 6", 0},
		{&modbus.Error{Fault: modbus.Unsupported, Exception: 1}, "exception 1", 0},
		{&modbus.Error{Fault: modbus.Medium, Err: errors.New("gone")}, "port down", 0},
		{&modbus.Error{Fault: modbus.Frame}, "offline: damaged reply", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &site{takes: ms}
			s.answers = map[modbus.UnitID]func() ([]byte, error){1: func() ([]byte, error) { return nil, tt.err }}
			p := s.run(t, 950*ms, device(1, 100*ms))
			last := s.emitted[len(s.emitted)-1]
			if last.Quality != point.Bad || last.Reason != tt.reason || last.Value != (point.Value{}) {
				t.Errorf("%v: reading %+v, want bad with reason %q", tt.err, last, tt.reason)
			}
			if st := p.Stats(); st.Offline != tt.offline {
				t.Errorf("%v: %d offline, want %d", tt.err, st.Offline, tt.offline)
			}
		})
	}
}

type notBefore struct{ at time.Time }

func (n notBefore) Error() string        { return "in doubt" }
func (n notBefore) NotBefore() time.Time { return n.at }

func TestUnitInDoubtIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		n := 0
		s.answers = map[modbus.UnitID]func() ([]byte, error){1: func() ([]byte, error) {
			if n++; n == 1 {
				return nil, fmt.Errorf("bus: %w", notBefore{time.Now().Add(70 * ms)})
			}
			return []byte{0, 7}, nil
		}}
		p := s.run(t, 180*ms, device(1, 100*ms), device(2, 50*ms))
		if want := []time.Duration{10 * ms, 90 * ms, 110 * ms}; !slices.Equal(s.times(1), want) {
			t.Errorf("unit in doubt asked at %v, want %v", s.times(1), want)
		}
		if got := len(s.times(2)); got != 4 {
			t.Errorf("the other unit was asked at %v", s.times(2))
		}
		if st := p.Stats(); st.Polls != 6 || st.Overruns != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}
