package rtu_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
)

func TestSilenceIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, client := newWire(rtu.Config{})
		opened := time.Now()
		for _, gap := range []time.Duration{0, 60 * time.Millisecond, 0} {
			if _, err := client.Do(readHolding(1, 0, 10), modbus.Timing{Timeout: timing.Timeout, Gap: gap}); err != nil {
				t.Fatal(err)
			}
			r := w.requests[len(w.requests)-1]
			if len(w.requests) == 1 {
				r.silence = r.start.Sub(opened)
			}
			if r.silence != line.Silence()+gap {
				t.Errorf("gap %v: %v of silence before the request, want %v", gap, r.silence, line.Silence()+gap)
			}
		}
	})
}

func TestSilenceStartsAgainAfterStrayBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, transport, client := newWire(rtu.Config{})
		end := w.say(time.Now().Add(2*time.Millisecond), 0xFF, 0x00)
		if _, err := client.Do(readHolding(1, 0, 1), timing); err != nil {
			t.Fatal(err)
		}
		if got := w.requests[0].start.Sub(end); got != line.Silence() {
			t.Errorf("%v of silence, want %v", got, line.Silence())
		}
		if n := transport.Stats().StrayBytes; n != 2 {
			t.Errorf("%d stray bytes, want 2", n)
		}
	})
}

func TestTimeoutIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lead = 3 * time.Millisecond
		w, _, client := newWire(rtu.Config{Lead: lead})
		w.device = nil
		start := time.Now()
		_, err := client.Do(readHolding(9, 0, 10), timing)
		want(t, err, modbus.Silent)
		if got, want := time.Since(start), line.Silence()+lead+line.Chars(8)+timing.Timeout; got != want {
			t.Errorf("failed after %v, want %v", got, want)
		}
		if got, want := err.Error(), "unit 9: silent: no reply within 200ms"; got != want {
			t.Errorf("error %q, want %q", got, want)
		}
	})
}

// A reply that begins before the timeout may end after it.
func TestTimeoutIsForTheFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, client := newWire(rtu.Config{})
		w.device = func(req []byte, end time.Time) {
			w.say(end.Add(timing.Timeout-line.Chars(1)), reply(req)...)
		}
		if _, err := client.Do(readHolding(1, 0, 125), timing); err != nil {
			t.Fatal(err)
		}
	})
}

// The line must be used to 98 % whatever the receiver does, and never at the
// expense of the silence.
func TestThroughput(t *testing.T) {
	for _, baud := range []int{1200, 9600, 19200, 115200} {
		for _, trigger := range []int{0, 8} {
			line := modbus.Line{Baud: baud, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}
			synctest.Test(t, func(t *testing.T) {
				w := &wire{line: line, trigger: trigger}
				w.device = w.polite
				client := modbus.NewClient(rtu.New(w, rtu.Config{Line: line}))
				start, ideal := time.Now(), time.Duration(0)
				for count := uint16(1); count <= 125; count++ {
					data, err := client.Do(readHolding(1, count, count), timing)
					if err != nil || !right(data, 1, count) {
						t.Fatal(count, data, err)
					}
					ideal += line.Silence() + line.Chars(8) + latency + line.Chars(5+2*int(count))
				}
				if rate := float64(ideal) / float64(time.Since(start)); rate < 0.98 {
					t.Errorf("%v, FIFO %d: %.1f %% of the possible rate", line, trigger, 100*rate)
				}
				if w.hush() < line.Silence() {
					t.Errorf("%v, FIFO %d: a request after only %v of silence", line, trigger, w.hush())
				}
				// The first lump tells that the reply has begun, the second brings the rest.
				// Byte by byte the fifth tells its length. Rounding may part the last two.
				limit := 2.5
				if trigger == 0 {
					limit = 4
				}
				if perFrame := float64(w.reads) / 125; perFrame > limit {
					t.Errorf("%v, FIFO %d: %.1f wake-ups per reply, want at most %v", line, trigger, perFrame, limit)
				}
			})
		}
	}
}

// Units that pause inside a frame get their silence nevertheless.
func TestHolesDoNotShortenTheSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, client := newWire(rtu.Config{})
		w.device = func(req []byte, end time.Time) {
			frame := reply(req)
			middle := w.say(end.Add(latency), frame[:12]...)
			w.say(middle.Add(line.Chars(2)), frame[12:]...)
		}
		for range 5 {
			if _, err := client.Do(readHolding(1, 0, 10), timing); err != nil {
				t.Fatal(err)
			}
		}
		if w.hush() != line.Silence() {
			t.Errorf("%v of silence, want %v", w.hush(), line.Silence())
		}
	})
}

func TestBroadcast(t *testing.T) {
	for _, echo := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w, _, client := newWire(rtu.Config{Echo: echo})
			start := time.Now()
			for _, req := range []modbus.Request{
				{Function: modbus.WriteSingleRegister, Data: []byte{1, 2}},
				{Function: modbus.WriteMultipleRegisters, Count: 1, Data: []byte{1, 2}},
			} {
				if _, err := client.Do(req, timing); err != nil {
					t.Fatal(err)
				}
			}
			want := line.Silence() + line.Chars(8) + 100*time.Millisecond + line.Chars(11) + 100*time.Millisecond
			if got := time.Since(start); got != want {
				t.Errorf("echo %v: two broadcasts took %v, want %v", echo, got, want)
			}
			if len(w.requests) != 2 {
				t.Errorf("%d requests, want 2", len(w.requests))
			}
		})
	}
}

// A line that is never silent costs one timeout, not the bus.
func TestBabblingLineIsBounded(t *testing.T) {
	for _, before := range []bool{true, false} { // the request, or behind it
		synctest.Test(t, func(t *testing.T) {
			w, _, client := newWire(rtu.Config{})
			w.device = nil
			babble := make([]byte, 2000)
			for i := range babble {
				babble[i] = byte(1 + i*7%5) // now and then the head of a reply
			}
			if before {
				w.say(time.Now(), babble...)
			} else {
				w.device = func(_ []byte, end time.Time) { w.say(end, babble...) }
			}
			start := time.Now()
			_, err := client.Do(readHolding(1, 0, 125), timing)
			want(t, err, modbus.Frame)
			if limit := 2*timing.Timeout + line.Chars(3*256); time.Since(start) > limit {
				t.Errorf("gave up after %v, want at most %v", time.Since(start), limit)
			}
		})
	}
}

// A network delivers a frame in pieces, with a pause between them when a segment
// was lost. The reply is taken when it is whole, not when a line would have had it.
func TestJitter(t *testing.T) {
	for _, tt := range []struct {
		jitter, hole time.Duration
		fault        modbus.Fault
	}{
		{0, 30 * time.Millisecond, modbus.None},
		{0, 60 * time.Millisecond, modbus.Frame},
		{500 * time.Millisecond, 450 * time.Millisecond, modbus.None},
		{500 * time.Millisecond, 600 * time.Millisecond, modbus.Frame},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, _, client := newWire(rtu.Config{Virtual: true, Jitter: tt.jitter})
			var arrived time.Time
			w.device = func(req []byte, end time.Time) {
				w.say(end.Add(latency), reply(req)[:10]...)
				arrived = end.Add(latency + line.Chars(10) + tt.hole)
				w.arrive(arrived, reply(req)[10:]...)
			}
			data, err := client.Do(readHolding(1, 3, 10), timing)
			want(t, err, tt.fault)
			if err == nil && (!right(data, 1, 3) || !time.Now().Equal(arrived)) {
				t.Errorf("jitter %v, hole %v: % x, %v late", tt.jitter, tt.hole, data, time.Since(arrived))
			}
		})
	}
}

// TestLatency measures from the end of the request to the start of the reply, in
// whatever lumps the receiver hands it over; a failure has none.
func TestLatency(t *testing.T) {
	for _, trigger := range []int{0, 5, 14} {
		synctest.Test(t, func(t *testing.T) {
			w, transport, client := newWire(rtu.Config{})
			w.trigger = trigger
			if _, err := client.Do(readHolding(1, 0, 10), timing); err != nil {
				t.Fatal(err)
			}
			if got := transport.Latency(); got != latency {
				t.Errorf("in lumps of %d: %v, want %v", trigger, got, latency)
			}
			w.device = nil
			if _, err := client.Do(readHolding(1, 0, 10), timing); err == nil || transport.Latency() != 0 {
				t.Errorf("%v after %v", transport.Latency(), err)
			}
		})
	}
}

// What takes no time on the line, or an unknown one, is not waited for.
func TestVirtualPortIsNotPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := newWire(rtu.Config{})
		client := modbus.NewClient(rtu.New(restless{w, t}, rtu.Config{Line: line, Virtual: true}))
		if _, err := client.Do(readHolding(1, 0, 10), timing); err != nil {
			t.Error(err)
		}
	})
}

type restless struct {
	*wire
	t *testing.T
}

func (r restless) Pause(d time.Duration) error {
	r.t.Errorf("paused for %v", d)
	return nil
}

// A program wakes late, for the first byte and for the last. What it sleeps through
// between them becomes shorter by both, once it is known how late.
func TestLateWakeUps(t *testing.T) {
	const lag = 100 * time.Microsecond
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := newWire(rtu.Config{})
		w.trigger = 8
		client := modbus.NewClient(rtu.New(sleepy{w, lag}, rtu.Config{Line: line}))
		ideal := line.Chars(8) + latency + line.Chars(25+4) // the FIFO keeps the last character for four more
		for i := range 50 {
			start := time.Now()
			if _, err := client.Do(readHolding(1, 0, 10), timing); err != nil {
				t.Fatal(err)
			}
			late := time.Since(start) - ideal
			if i == 0 {
				late -= line.Silence() + lag
			}
			if limit := lag / 20; i > 30 && late > limit {
				t.Errorf("exchange %d ends %v late, want %v at most", i, late, limit)
			}
		}
		if w.hush() < line.Silence() {
			t.Errorf("%v of silence, want %v", w.hush(), line.Silence())
		}
	})
}

// sleepy is a port that returns late from everything it waits for.
type sleepy struct {
	*wire
	lag time.Duration
}

func (s sleepy) Read(p []byte) (int, error) {
	start := time.Now()
	n, err := s.wire.Read(p)
	if time.Since(start) > 0 {
		time.Sleep(s.lag)
	}
	return n, err
}

func (s sleepy) Pause(d time.Duration) error { return s.wire.Pause(d + s.lag) }

// Byte by byte, a reply that is soon over takes two wake-ups: for its first byte
// and its last. An exception in its place is taken when the reply would have ended;
// in the place of a longer one at once.
func TestShortReplyIsWaitedForAsAWhole(t *testing.T) {
	for _, tt := range []struct {
		count     uint16
		exception bool
		bytes     int // after which the reply is taken
		reads     int
	}{
		{10, false, 25, 2},
		{10, true, 25, 2},
		{60, false, 125, 3},
		{60, true, 5, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, _, client := newWire(rtu.Config{})
			if tt.exception {
				w.device = func(req []byte, end time.Time) { w.say(end.Add(latency), exception(req, 2)...) }
			}
			start := time.Now()
			_, err := client.Do(readHolding(1, 0, tt.count), timing)
			if e, ok := errors.AsType[*modbus.Error](err); ok != tt.exception || ok && e.Exception != 2 {
				t.Errorf("%+v: error %v", tt, err)
			}
			took, want := time.Since(start), line.Silence()+line.Chars(8)+latency+line.Chars(tt.bytes)
			if took != want || w.reads != tt.reads {
				t.Errorf("%+v: %v and %d wake-ups, want %v", tt, took, w.reads, want)
			}
		})
	}
}
