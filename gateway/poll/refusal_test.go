package poll_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/point"
)

// at puts the points of a device at addresses, one register each.
func at(every time.Duration, addresses ...uint16) mapping.Device {
	d := device(1, slices.Repeat([]time.Duration{every}, len(addresses))...)
	for i, a := range addresses {
		d.Points[i].Register.Address = a
	}
	return d
}

// without answers like a device that has no such register.
func without(address uint16) func(modbus.Request) ([]byte, error) {
	return func(req modbus.Request) ([]byte, error) {
		if req.Address <= address && req.Address+req.Count > address {
			return nil, &modbus.Error{Fault: modbus.Refused, Exception: 2}
		}
		return make([]byte, 2*req.Count), nil
	}
}

// TestRefusedHole has a device that refuses one register between its points: the
// search finds it, all points are good, and after a restart it is known.
func TestRefusedHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: ms, reply: without(5), memory: filepath.Join(t.TempDir(), "devices", "b.json")}
		d := at(time.Second, 0, 1, 3, 7, 9)
		p := s.run(t, 500*ms, d)
		if got, want := s.requests(), "0+10 0+2 0+4 0+8 7+1 3+5 0+4 7+3"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
		for _, r := range s.emitted {
			if r.Quality != point.Good {
				t.Errorf("reading %+v, want it good", r)
			}
		}
		if st := p.Stats(); len(s.emitted) != 5 || st.Walls != 1 {
			t.Errorf("%d readings, stats %+v", len(s.emitted), st)
		}
		for _, tt := range []struct {
			name, want string
			change     func()
		}{
			{"after a restart", "0+4 7+3", func() {}},
			{"after a restart with another map", "0+11 0+2 0+4 0+8 7+1 3+5 0+4 7+4", func() { d.Points[4].Register.Address = 10 }},
			{"after that was learned too", "0+4 7+4", func() {}},
			{"after the file was damaged", "0+11 0+2 0+4 0+8 7+1 3+5 0+4 7+4", func() { write(t, s.memory, "{") }},
			{"with a file from the future", "0+11 0+2 0+4 0+8 7+1 3+5 0+4 7+4", func() {
				text, _ := os.ReadFile(s.memory)
				write(t, s.memory, strings.Replace(string(text), `"version": 1`, `"version": 2`, 1))
			}},
		} {
			tt.change()
			if s.run(t, 500*ms, d); s.requests() != tt.want {
				t.Errorf("%s: asked for %s, want %s", tt.name, s.requests(), tt.want)
			}
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRefusedPoint has a point that does not exist: its neighbours stay good, and
// it is asked for ever more rarely, until it is there after all.
func TestRefusedPoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: ms}
		begin := time.Now()
		s.reply = func(req modbus.Request) ([]byte, error) {
			if time.Since(begin) > 70*time.Second {
				return make([]byte, 2*req.Count), nil
			}
			return without(3)(req)
		}
		p := s.run(t, time.Minute, at(time.Second, 0, 1, 3, 6))
		var alone []time.Duration
		for _, a := range s.asked {
			if a.what == "3+1" {
				alone = append(alone, a.at.Round(time.Second))
			}
		}
		sec := time.Second
		if want := []time.Duration{0, 1 * sec, 2 * sec, 4 * sec, 8 * sec, 16 * sec, 32 * sec}; !slices.Equal(alone, want) {
			t.Errorf("the missing point was asked for at %v, want %v", alone, want)
		}
		if st := p.Stats(); st.Quarantined != 1 || st.Overruns != 0 || s.quality("p2") != point.Bad || s.quality("p3") != point.Good {
			t.Errorf("stats %+v, qualities %v %v", st, s.quality("p2"), s.quality("p3"))
		}
		if p := s.run(t, 70*time.Second, at(time.Second, 0, 1, 3, 6)); s.quality("p2") != point.Good || p.Stats().Quarantined != 0 || p.Stats().Walls != 0 {
			t.Errorf("after %v: %v, stats %+v", time.Since(begin), s.quality("p2"), p.Stats())
		}
	})
}

// TestRefusalIsReportedOnce has two points that do not exist, one found alone and
// one among others.
func TestRefusalIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: ms, reply: without(3)}
		lost := at(time.Second, 3)
		lost.ID, lost.Unit = "other", 2
		s.run(t, time.Hour, at(time.Second, 0, 1, 3, 6), lost)
		for _, device := range []string{"device=d1 point=p2", "device=other point=p0"} {
			want := `level=WARN msg="device refuses a point" bus=b ` + device + ` register="holding 0x0003 (40004)" reason="exception 2" fix="the device has no such register`
			if n := strings.Count(s.log.String(), want); n != 1 {
				t.Errorf("%s %d times in\n%s", want, n, &s.log)
			}
		}
		if n := strings.Count(s.log.String(), "\n"); n != 2 {
			t.Errorf("%d lines, want 2\n%s", n, &s.log)
		}
	})
}

// TestTooManyRegisters has a device that takes fewer than others.
func TestTooManyRegisters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: ms}
		s.reply = func(req modbus.Request) ([]byte, error) {
			if req.Count > 4 {
				return nil, &modbus.Error{Fault: modbus.Refused, Exception: 3}
			}
			return make([]byte, 2*req.Count), nil
		}
		s.run(t, 1500*ms, at(time.Second, 0, 1, 2, 3, 4, 5, 6))
		if want := "0+4 4+3"; !strings.HasSuffix(s.requests(), want) {
			t.Errorf("asked for %s, want %s in the end", s.requests(), want)
		}
	})
}

// TestUnsupportedFunction has a device without holding registers.
func TestUnsupportedFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: ms, answers: map[modbus.UnitID]func() ([]byte, error){1: func() ([]byte, error) {
			return nil, &modbus.Error{Fault: modbus.Unsupported, Exception: 1}
		}}}
		p := s.run(t, time.Minute, at(time.Second, 0, 1))
		if st := p.Stats(); len(s.asked) != 7 || st.Quarantined != 2 {
			t.Errorf("asked %d times, stats %+v; want 7 times", len(s.asked), st)
		}
	})
}

// TestBusyDeviceIsLeftAlone has a device that is busy for a while: it is asked
// again within its period, and others are served meanwhile.
func TestBusyDeviceIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		s.answers = map[modbus.UnitID]func() ([]byte, error){1: func() ([]byte, error) {
			if time.Since(s.start) < 300*ms {
				return nil, &modbus.Error{Fault: modbus.Busy, Exception: 6}
			}
			return []byte{0, 7}, nil
		}}
		s.run(t, 940*ms, device(1, time.Second), device(2, 50*ms))
		if want := []time.Duration{10 * ms, 70 * ms, 180 * ms, 390 * ms}; !slices.Equal(s.times(1), want) {
			t.Errorf("the busy unit was asked at %v, want %v", s.times(1), want)
		}
		if got := len(s.times(2)); got != 19 {
			t.Errorf("the other unit was asked %d times, want 19", got)
		}
		for _, r := range s.emitted {
			if r.Quality != point.Good {
				t.Errorf("reading %+v, want it good", r)
			}
		}
	})
}

// TestWritesOnConnect has a device that is written to before it is polled, and
// again when it was offline.
func TestWritesOnConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		s.reply = func(req modbus.Request) ([]byte, error) {
			switch since := time.Since(s.start); {
			case since > time.Second && since < 5*time.Second:
				return silent()
			case req.Address == 100:
				return nil, &modbus.Error{Fault: modbus.Refused, Exception: 3}
			}
			return make([]byte, 2*req.Count), nil
		}
		d := device(1, 900*ms)
		d.OnConnect = []mapping.Write{
			{Register: mapping.Register{Table: mapping.Holding, Address: 100}, Value: 7},
			{Register: mapping.Register{Table: mapping.Coil, Address: 5}, Value: 1},
		}
		s.run(t, 10*time.Second, d)
		got := s.requests()
		if want := "100=7 5=65280 0+1 0+1 0+1"; !strings.HasPrefix(got, want) {
			t.Errorf("asked for %s, want %s first", got, want)
		}
		if want := "0+1 0+1 100=7 5=65280 0+1"; strings.Count(got, "100=7") != 2 || !strings.Contains(got, want) {
			t.Errorf("asked for %s, want %s on return", got, want)
		}
		if good := s.quality("p0"); good != point.Good {
			t.Errorf("in the end the point is %v", good)
		}
	})
}

// TestWritesWaitForTheDevice has a device that is away at first: it is looked for
// with a read, then written to.
func TestWritesWaitForTheDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		s.reply = func(req modbus.Request) ([]byte, error) {
			if time.Since(s.start) < 50*ms {
				return silent()
			}
			return make([]byte, 2*req.Count), nil
		}
		d := device(1, 900*ms)
		d.OnConnect = []mapping.Write{{Register: mapping.Register{Table: mapping.Holding, Address: 100}, Value: 7}}
		s.run(t, 500*ms, d)
		if got, want := s.requests(), "100=7 0+1 100=7 0+1"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
	})
}

// TestPortLostWhileADeviceIsSilent has a port that disappears between a device's
// failure and its next try: the points turn bad all the same.
func TestPortLostWhileADeviceIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		s.reply = func(req modbus.Request) ([]byte, error) {
			switch since := time.Since(s.start); {
			case since > 1200*ms:
				return nil, &modbus.Error{Fault: modbus.Medium, Err: os.ErrClosed}
			case since > time.Second:
				return silent()
			}
			return make([]byte, 2*req.Count), nil
		}
		d := device(1, time.Second, time.Hour)
		d.OfflineTime = 3 * time.Second
		s.run(t, 3*time.Second, d)
		for _, id := range []string{"p0", "p1"} {
			if s.quality(id) != point.Bad {
				t.Errorf("%s is still %v", id, s.quality(id))
			}
		}
	})
}

func TestAdvice(t *testing.T) {
	for _, tt := range []struct {
		takes, timeout time.Duration
		want           string
	}{
		{10 * ms, time.Second, "timeout: 60ms"},
		{38 * ms, time.Second, "timeout: 120ms"},
		{38 * ms, 400 * ms, ""},
		{38 * ms, 50 * ms, "timeout: 120ms"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &site{takes: tt.takes}
			d := device(1, 100*ms)
			d.Timeout = tt.timeout
			u := s.run(t, 30*time.Second, d).Stats().Units[0]
			if u.Advice != tt.want || u.Latency != tt.takes || u.P99 < tt.takes || u.P99 > tt.takes*6/5 || u.Answers != 300 {
				t.Errorf("%v of %v: %+v, want %q", tt.takes, tt.timeout, u, tt.want)
			}
		})
	}
}

// TestTimeoutFollowsTheDevice has a device that answers at once but for one point:
// once it is known, no more is waited than three times what is usual, and that
// point has its own measure.
func TestTimeoutFollowsTheDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		s.reply = func(req modbus.Request) ([]byte, error) {
			if req.Address == 200 {
				time.Sleep(90 * ms)
			}
			return make([]byte, 2*req.Count), nil
		}
		s.run(t, 130*time.Second, device(1, 200*ms, time.Minute))
		waits := map[string][]time.Duration{}
		for _, a := range s.asked {
			waits[a.what] = append(waits[a.what], a.wait)
		}
		if w := waits["200+1"]; !slices.Equal(w, []time.Duration{time.Second, 300 * ms, 300 * ms}) {
			t.Errorf("the slow point is waited for %v", w)
		}
		if w := waits["0+1"]; w[0] != time.Second || w[10] != time.Second || w[len(w)-1] != 60*ms {
			t.Errorf("the fast point is waited for %v at first, %v after ten answers and %v in the end", w[0], w[10], w[len(w)-1])
		}
		s.jitter = 500 * ms // as on a network that loses a segment now and then
		s.run(t, 30*time.Second, device(1, 200*ms))
		if last := s.asked[len(s.asked)-1]; last.wait != 500*ms {
			t.Errorf("on a network %v is waited in the end", last.wait)
		}
	})
}

// TestPeriodsShareRequests has points of two periods side by side.
func TestPeriodsShareRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: ms}
		d := at(time.Second, 0, 1, 2)
		d.Points[1].Interval = 2 * time.Second
		s.run(t, 3500*ms, d)
		if got, want := s.requests(), "0+3 0+3 0+3 0+3"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
		if n := len(s.emitted); n != 3+2+3+2 {
			t.Errorf("%d readings, want those that were due", n)
		}
	})
}
