package sim_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/drivers/sim/device"
)

// slow has characters of 1 ms and a t3.5 of 3.5 ms.
var slow = modbus.Line{Baud: 10000, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}

const (
	latency  = 20 * time.Millisecond
	everyone = 1 // adapter trigger: report every character
)

// registers is a unit with ten holding registers, 100 to 109.
func registers() *device.Memory {
	return &device.Memory{device.Holding: {100, 101, 102, 103, 104, 105, 106, 107, 108, 109}}
}

// oneUnit is a bus with registers at unit 1.
func oneUnit() sim.Config {
	return sim.Config{
		Line:    slow,
		Units:   map[modbus.UnitID]sim.Unit{1: {Device: registers(), Latency: latency}},
		Adapter: sim.Adapter{Trigger: everyone},
	}
}

// host is the master's side of a bus in a bubble.
type host struct {
	*testing.T
	*sim.MemPort
	bus *sim.Bus
}

// simulate runs a scenario in a bubble, on a bus that is served until it ends.
func simulate(t *testing.T, cfg sim.Config, scenario func(h host)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := host{t, sim.NewMemPort(), sim.New(cfg)}
		var serving sync.WaitGroup
		serving.Go(func() {
			if err := h.bus.Serve(ctx, h.MemPort); err != nil && !errors.Is(err, sim.ErrUnplugged) {
				t.Errorf("serve: %v", err)
			}
		})
		scenario(h)
		cancel()
		serving.Wait()
	})
}

// arrival is what one Read returned, and how long after the request was written.
type arrival struct {
	after time.Duration
	bytes int
}

// frame is spaced hex with the checksum appended.
func frame(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return modbus.AppendCRC(b)
}

func (h host) write(p []byte) {
	h.Helper()
	if n, err := h.Write(p); n != len(p) || err != nil {
		h.Fatalf("write: %d, %v", n, err)
	}
}

// hear reads until a second passes in which nothing arrives.
func (h host) hear() (all []byte, arrivals []arrival) {
	h.Helper()
	begin := time.Now()
	if err := h.SetReadTimeout(time.Second); err != nil {
		h.Fatal(err)
	}
	for {
		var b [512]byte
		n, err := h.Read(b[:])
		if err != nil {
			h.Fatalf("read: %v", err)
		}
		if n == 0 {
			return all, arrivals
		}
		all = append(all, b[:n]...)
		arrivals = append(arrivals, arrival{time.Since(begin), n})
	}
}

// ask writes a request and returns everything that comes of it.
func (h host) ask(request string) []byte {
	h.Helper()
	h.write(frame(h, request))
	reply, _ := h.hear()
	return reply
}

// expect asks and compares the one reply; none is wanted when it is empty.
func (h host) expect(request, reply string) {
	h.Helper()
	var want []byte
	if reply != "" {
		want = frame(h, reply)
	}
	if got := h.ask(request); !bytes.Equal(got, want) {
		h.Errorf("%s: got %x, want %x", request, got, want)
	}
}

// The request of most tests, of 8 characters, and its reply, of 9.
const (
	ask    = "01 03 0000 0002"
	answer = "01 03 04 0064 0065"
)

func TestReplyIsPaced(t *testing.T) {
	ms := func(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }
	each := func(from time.Duration, n int, char time.Duration) (a []arrival) {
		for i := range n {
			a = append(a, arrival{from + time.Duration(i+1)*char, 1})
		}
		return a
	}
	fast := modbus.Line{Baud: 100000, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}
	even := modbus.Line{Baud: 11000, DataBits: 8, Parity: modbus.EvenParity, StopBits: 1}
	for _, tt := range []struct {
		name    string
		line    modbus.Line
		adapter sim.Adapter
		count   string
		want    []arrival
	}{
		// 8 characters of request, 3.5 of silence, 20 ms of latency, 9 of reply.
		{"every character", slow, sim.Adapter{Trigger: 1}, "0002", each(ms(31.5), 9, ms(1))},
		{"parity makes the same character", even, sim.Adapter{Trigger: 1}, "0002", each(ms(31.5), 9, ms(1))},
		{"1.75 ms above 19200 Bd", fast, sim.Adapter{Trigger: 1}, "0002", each(ms(0.8+1.75+20), 9, ms(0.1))},
		{"FIFO", slow, sim.Adapter{}, "0002", []arrival{{ms(39.5), 8}, {ms(44.5), 1}}},
		{"FIFO, larger reply", slow, sim.Adapter{}, "000a", []arrival{{ms(39.5), 8}, {ms(47.5), 8}, {ms(55.5), 8}, {ms(60.5), 1}}},
		{"FIFO of 14, 2 idle", slow, sim.Adapter{Trigger: 14, Idle: 2}, "0002", []arrival{{ms(42.5), 9}}},
		{"USB timer", slow, sim.Adapter{Trigger: 62, Period: ms(16)}, "0002", []arrival{{ms(48), 9}}},
		{"USB timer in between", slow, sim.Adapter{Trigger: 62, Period: ms(4)}, "0002", []arrival{{ms(36), 4}, {ms(40), 4}, {ms(44), 1}}},
		{"USB packets", slow, sim.Adapter{Trigger: 4, Period: ms(16)}, "0002", []arrival{{ms(35.5), 4}, {ms(39.5), 4}, {ms(48), 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := oneUnit()
			cfg.Line, cfg.Adapter = tt.line, tt.adapter
			simulate(t, cfg, func(h host) {
				h.write(frame(h, "01 03 0000"+tt.count))
				reply, got := h.hear()
				if !modbus.ValidCRC(reply) {
					h.Errorf("reply %x", reply)
				}
				if !slices.Equal(got, tt.want) {
					h.Errorf("got %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestUnitsAnswerForThemselves(t *testing.T) {
	cfg := oneUnit()
	cfg.Units[2] = sim.Unit{
		Device:  &device.Memory{device.Holding: {7}},
		Refuses: []modbus.Function{modbus.WriteMultipleRegisters},
		Ignores: []modbus.Function{modbus.Diagnostics},
	}
	simulate(t, cfg, func(h host) {
		h.expect(ask, answer)
		h.expect("02 03 0000 0001", "02 03 02 0007")
		h.expect("02 03 0000 0002", "02 83 02")
		h.expect("02 10 0000 0001 02 0008", "02 90 01")
		h.expect("02 06 0000 0009", "02 06 0000 0009")
		h.expect("02 03 0000 0001", "02 03 02 0009")
		h.expect("02 08 0000 1234", "")
		h.expect("01 08 0000 1234", "01 08 0000 1234")
		h.expect("03 03 0000 0001", "") // nobody's address
		h.expect("00 06 0000 00aa", "") // everybody's
		h.expect("01 03 0000 0001", "01 03 02 00aa")
		h.expect("02 03 0000 0001", "02 03 02 00aa")
		if got, want := h.bus.Stats(), uint64(12); got.Requests != want || got.Damaged != 0 || got.Replies != 9 {
			h.Errorf("%+v, want %d requests, 9 replies", got, want)
		}
	})
}

func TestStatsOfOneExchange(t *testing.T) {
	simulate(t, oneUnit(), func(h host) {
		h.expect(ask, answer)
		want := sim.Stats{Requests: 1, Replies: 1, RequestTime: 8 * time.Millisecond, ReplyTime: 9 * time.Millisecond}
		if got := h.bus.Stats(); got != want || got.Busy() != 17*time.Millisecond {
			h.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestJitterStaysInItsBounds(t *testing.T) {
	run := func(seed uint64) (late []time.Duration) {
		cfg := oneUnit()
		u := cfg.Units[1]
		u.Jitter = 5 * time.Millisecond
		cfg.Units[1], cfg.Seed = u, seed
		simulate(t, cfg, func(h host) {
			for range 50 {
				h.write(frame(h, ask))
				_, got := h.hear()
				late = append(late, got[0].after-32500*time.Microsecond)
			}
		})
		return late
	}
	first, second, other := run(1), run(1), run(2)
	same := true
	for i, d := range first {
		if d < 0 || d > 5*time.Millisecond {
			t.Errorf("reply %d is %v late", i, d)
		}
		if d != second[i] {
			t.Errorf("reply %d: %v, then %v from the same seed", i, d, second[i])
		}
		same = same && d == other[i]
	}
	if same {
		t.Error("another seed makes no difference")
	}
}

func TestOnReplyTellsWhenTheLastCharacterEnded(t *testing.T) {
	cfg := oneUnit()
	var got []sim.Reply
	cfg.OnReply = func(r sim.Reply) {
		r.ADU = bytes.Clone(r.ADU)
		got = append(got, r)
	}
	simulate(t, cfg, func(h host) {
		begin := time.Now()
		h.expect("01 03 0004 0001", "01 03 02 0068")
		if len(got) != 1 {
			h.Fatalf("%d replies", len(got))
		}
		r := got[0]
		if r.Unit != 1 || r.Function != modbus.ReadHoldingRegisters || r.Address != 4 || !bytes.Equal(r.ADU, frame(h, "01 03 02 0068")) {
			h.Errorf("%+v", r)
		}
		if after, want := r.At.Sub(begin), 38500*time.Microsecond; after != want { // 8 + 3.5 + 20 + 7
			h.Errorf("ended after %v, want %v", after, want)
		}
	})
}
