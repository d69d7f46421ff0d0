package rtu_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
)

// manner is what a unit does about function 8.
type manner int

const (
	answers manner = iota
	refuses
	ignores
)

// keeper is a unit that keeps a request which comes while it is busy and answers
// it later, in order, as most firmware with a receive interrupt does.
type keeper struct {
	w      *wire
	manner manner
	late   time.Duration // for the next ordinary reply only
	dead   bool
	busy   time.Time
}

func (k *keeper) device(req []byte, end time.Time) {
	answer := reply(req)
	start := end.Add(k.w.line.Silence())
	if k.busy.After(start) {
		start = k.busy
	}
	start = start.Add(latency)
	if req[1] == byte(modbus.Diagnostics) {
		switch k.manner {
		case refuses:
			answer = exception(req, 1)
		case ignores:
			return
		}
	} else {
		start = start.Add(k.late)
		k.late = 0
	}
	if !k.dead {
		k.busy = k.w.say(start, answer...)
	}
}

func newKeeper(m manner) (*keeper, *rtu.Transport, *modbus.Client) {
	w, transport, client := newWire(rtu.Config{})
	k := &keeper{w: w, manner: m}
	w.device = k.device
	return k, transport, client
}

func (k *keeper) functions() (sent []byte) {
	for _, r := range k.w.requests {
		sent = append(sent, r.frame[1])
	}
	return sent
}

// The reply to the first read comes while the second one waits: it has the very
// shape the second one asks for.
func TestLateReplyIsNotAccepted(t *testing.T) {
	for _, m := range []manner{answers, refuses, ignores} {
		for late := 100 * time.Millisecond; late < time.Second; late += 7 * time.Millisecond {
			synctest.Test(t, func(t *testing.T) {
				k, transport, client := newKeeper(m)
				k.late = late
				for address := range uint16(20) {
					time.Sleep(time.Until(transport.NotBefore(1)))
					data, err := client.Do(readHolding(1, address, 10), timing)
					if err == nil && !right(data, 1, address) {
						t.Fatalf("manner %d, %v late: wrong values at %d", m, late, address)
					}
					if err != nil && address > 10 {
						t.Errorf("manner %d, %v late: still %v at %d", m, late, err, address)
					}
				}
				if k.w.hush() < line.Silence() {
					t.Errorf("a request after only %v of silence", k.w.hush())
				}
			})
		}
	}
}

func TestCanarySettlesTheDoubt(t *testing.T) {
	for _, m := range []manner{answers, refuses} {
		synctest.Test(t, func(t *testing.T) {
			k, transport, client := newKeeper(m)
			k.late = 250 * time.Millisecond
			_, err := client.Do(readHolding(1, 1, 1), timing)
			want(t, err, modbus.Silent)
			if at := transport.NotBefore(1); !at.IsZero() {
				t.Errorf("not before %v, though a canary may go out", at)
			}
			data, err := client.Do(readHolding(1, 2, 1), timing)
			if err != nil || !right(data, 1, 2) {
				t.Errorf("manner %d: % x, %v", m, data, err)
			}
			if got, want := k.functions(), []byte{3, 8, 3}; !slices.Equal(got, want) {
				t.Errorf("functions %d on the wire, want %d", got, want)
			}
		})
	}
}

// While a unit is waited for, it gets no request and the others get theirs.
func TestUnitThatIgnoresTheCanaryIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, transport, client := newKeeper(ignores)
		window := timing.Timeout + time.Second
		for round := range 5 {
			k.late = 250 * time.Millisecond
			_, err := client.Do(readHolding(1, 1, 1), timing)
			want(t, err, modbus.Silent)
			failed := k.w.requests[len(k.w.requests)-1]
			_, err = client.Do(readHolding(1, 2, 1), timing)
			if !errors.Is(err, modbus.ErrInDoubt) {
				t.Fatalf("round %d: %v", round, err)
			}
			last := k.w.requests[len(k.w.requests)-1]
			if probed := last.frame[1] == byte(modbus.Diagnostics); probed != (round < 3) {
				t.Errorf("round %d: canary sent: %v", round, probed)
			} else if !probed && last.end != failed.end {
				t.Errorf("round %d: a request went out", round)
			}
			if got, want := transport.NotBefore(1), last.end.Add(window); !got.Equal(want) {
				t.Errorf("round %d: not before %v, want %v", round, got, want)
			}
			sent := len(k.w.requests)
			if _, err := client.Do(readHolding(1, 2, 1), timing); !errors.Is(err, modbus.ErrInDoubt) || len(k.w.requests) != sent {
				t.Errorf("round %d: asked again too soon: %v", round, err)
			}
			if _, err := client.Do(readHolding(2, 3, 1), timing); err != nil || !transport.NotBefore(2).IsZero() {
				t.Errorf("round %d: unit 2: %v", round, err)
			}
			time.Sleep(time.Until(transport.NotBefore(1)))
			data, err := client.Do(readHolding(1, 2, 1), timing)
			if err != nil || !right(data, 1, 2) {
				t.Errorf("round %d: after the wait: % x, %v", round, data, err)
			}
		}
	})
}

// A unit that is away and known to answer canaries is probed with nothing else,
// but not for ever: another device may have taken its place.
func TestCanaryProbesAUnitThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _, client := newKeeper(answers)
		ask := func() error {
			time.Sleep(5 * time.Second)
			_, err := client.Do(readHolding(1, 1, 1), timing)
			return err
		}
		k.late = 250 * time.Millisecond
		want(t, ask(), modbus.Silent)
		want(t, ask(), modbus.None) // learned that it answers
		k.dead = true
		for range 7 {
			want(t, ask(), modbus.Silent)
		}
		k.dead = false
		want(t, ask(), modbus.None)
		if got, want := k.functions(), []byte{3, 8, 3, 3, 8, 8, 8, 8, 3, 3, 3}; !slices.Equal(got, want) {
			t.Errorf("functions %d on the wire, want %d", got, want)
		}
	})
}

// A canary that could not be sent proves nothing about its unit.
func TestBabbleIsNotHeldAgainstTheUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, transport, client := newKeeper(answers)
		k.late = 250 * time.Millisecond
		_, err := client.Do(readHolding(1, 1, 1), timing)
		want(t, err, modbus.Silent)
		k.w.say(time.Now(), make([]byte, 300)...)
		time.Sleep(line.Chars(2))
		_, err = client.Do(readHolding(1, 1, 1), timing)
		want(t, err, modbus.Frame)
		time.Sleep(line.Chars(300))
		_, err = client.Do(readHolding(1, 1, 1), timing)
		want(t, err, modbus.None)
		if s := transport.Stats(); s.LostCanaries != 0 {
			t.Errorf("%d canaries lost", s.LostCanaries)
		}
	})
}

func TestDoubtsOutliveTheTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var doubts modbus.Doubts
		w, _, client := newWire(rtu.Config{Doubts: &doubts})
		w.gone = time.Now().Add(line.Silence() + line.Chars(10)) // the request is out
		_, err := client.Do(readHolding(1, 1, 1), timing)
		want(t, err, modbus.Medium)
		w, _, client = newWire(rtu.Config{Doubts: &doubts})
		if _, err := client.Do(readHolding(1, 1, 1), timing); err != nil {
			t.Fatal(err)
		}
		if len(w.requests) != 2 || w.requests[0].frame[1] != byte(modbus.Diagnostics) {
			t.Errorf("%d requests after the replug, want a canary and the read", len(w.requests))
		}
	})
}

// noisy damages replies the way a bad cable, a bad adapter and bad firmware do.
func noisy(w *wire, rng *rand.Rand, req, frame []byte, start time.Time) time.Time {
	hit := func(p float64) bool { return rng.Float64() < p }
	if hit(.005) {
		return start
	}
	if hit(.002) && frame[0] > 0 {
		frame = modbus.AppendCRC(append([]byte{frame[0] + 1}, frame[1:len(frame)-2]...))
	}
	if hit(.005) {
		frame = exception(req, 6)
	}
	for i := range frame {
		if hit(2e-4) {
			frame[i] ^= 1 << rng.IntN(8)
		}
	}
	if hit(.005) {
		i := rng.IntN(len(frame))
		frame = slices.Delete(frame, i, i+1)
	}
	if hit(.002) {
		frame = frame[:len(frame)/2]
	}
	if hit(.01) {
		frame = append([]byte{byte(rng.Uint32()), byte(rng.Uint32())}, frame...)
	}
	if hit(.01) {
		frame = append(frame, byte(rng.Uint32()), byte(rng.Uint32()))
	}
	if hit(.002) {
		frame = append(frame, frame...)
	}
	return w.say(start, frame...)
}

// Thousands of reads of units that are late now and then, on a noisy line: some
// fail, none may be wrong.
func TestNoWrongValues(t *testing.T) {
	for _, m := range []manner{answers, refuses, ignores} {
		for _, units := range []int{1, 3} {
			synctest.Test(t, func(t *testing.T) {
				w, transport, client := newWire(rtu.Config{})
				rng := rand.New(rand.NewPCG(7, uint64(units)))
				busy := map[byte]time.Time{}
				w.device = func(req []byte, end time.Time) {
					answer, start := reply(req), end.Add(line.Silence())
					if later := busy[req[0]]; later.After(start) {
						start = later
					}
					start = start.Add(20 * time.Millisecond)
					switch {
					case req[1] != byte(modbus.Diagnostics):
						if rng.Float64() < .02 {
							start = start.Add(60*time.Millisecond + time.Duration(rng.IntN(200))*time.Millisecond)
						}
					case m == refuses:
						answer = exception(req, 1)
					case m == ignores:
						return
					}
					busy[req[0]] = noisy(w, rng, req, answer, start)
				}
				good, failed := 0, 0
				for i := range 3000 {
					unit, address := 1+i%units, uint16(i/units%50*200)
					time.Sleep(time.Until(transport.NotBefore(modbus.UnitID(unit))))
					data, err := client.Do(readHolding(modbus.UnitID(unit), address, 10), modbus.Timing{Timeout: 100 * time.Millisecond})
					switch {
					case err != nil:
						failed++
					case len(data) != 20 || !right(data, byte(unit), address):
						t.Fatalf("manner %d, read %d of unit %d: wrong values % x", m, i, unit, data)
					default:
						good++
					}
				}
				if good < 2550 {
					t.Errorf("manner %d, %d units: only %d reads of 3000 succeeded", m, units, good)
				}
				t.Logf("manner %d, %d units: %d good, %d failed, %+v", m, units, good, failed, transport.Stats())
			})
		}
	}
}

// TestNoCanary has a unit that must not be asked for function 8: it is left alone
// until nothing older can come.
func TestNoCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, transport, client := newKeeper(answers)
		shy := timing
		shy.NoCanary = true
		k.dead = true
		if _, err := client.Do(readHolding(1, 7, 10), shy); modbus.FaultOf(err) != modbus.Silent {
			t.Fatal(err)
		}
		k.dead = false
		if wait := time.Until(transport.NotBefore(1)); wait <= 0 || wait > time.Second {
			t.Errorf("to be left alone for %v", wait)
		}
		if _, err := client.Do(readHolding(1, 7, 10), shy); !errors.Is(err, modbus.ErrInDoubt) {
			t.Errorf("%v, want it not to be sent", err)
		}
		time.Sleep(time.Until(transport.NotBefore(1)))
		if data, err := client.Do(readHolding(1, 7, 10), shy); err != nil || !right(data, 1, 7) {
			t.Errorf("% x, %v", data, err)
		}
		if n := transport.Stats().Canaries; n != 0 {
			t.Errorf("%d canaries", n)
		}
	})
}
