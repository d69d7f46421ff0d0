package sim_test

import (
	"bytes"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
)

const ms = time.Millisecond

func TestRequestEndsBySilence(t *testing.T) {
	request := frame(t, ask)
	long := bytes.Repeat([]byte{1}, 300)
	for _, tt := range []struct {
		name   string
		first  []byte
		pause  time.Duration // from the first write to the second
		second []byte
		reply  string
		want   sim.Stats
	}{
		{"in two pieces at once", request[:3], 0, request[3:], answer,
			sim.Stats{Requests: 1, Replies: 1, RequestTime: 8 * ms, ReplyTime: 9 * ms}},
		{"with 3.4 ms between", request[:3], 6400 * time.Microsecond, request[3:], answer,
			sim.Stats{Requests: 1, Replies: 1, RequestTime: 8 * ms, ReplyTime: 9 * ms}},
		{"with 3.6 ms between", request[:3], 6600 * time.Microsecond, request[3:], "",
			sim.Stats{Requests: 2, Damaged: 2, RequestTime: 8 * ms}},
		{"wrong checksum", request[:7], 0, []byte{0}, "",
			sim.Stats{Requests: 1, Damaged: 1, RequestTime: 8 * ms}},
		{"too short to be one", nil, 0, request[:3], "",
			sim.Stats{Requests: 1, Damaged: 1, RequestTime: 3 * ms}},
		{"longer than any frame", long, 0, request, "",
			sim.Stats{Requests: 1, Damaged: 1, RequestTime: 308 * ms}},
		{"more than a driver holds", bytes.Repeat(long, 14), 0, request, "",
			sim.Stats{Requests: 1, Damaged: 1, RequestTime: 4096 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			simulate(t, oneUnit(), func(h host) {
				h.write(tt.first)
				time.Sleep(tt.pause)
				h.write(tt.second)
				time.Sleep(4 * time.Second)
				reply, _ := h.hear()
				if tt.reply == "" && reply != nil || tt.reply != "" && !bytes.Equal(reply, frame(h, tt.reply)) {
					h.Errorf("reply %x, want %s", reply, tt.reply)
				}
				if got := h.bus.Stats(); got != tt.want {
					h.Errorf("got %+v, want %+v", got, tt.want)
				}
			})
		})
	}
}

func TestShortSilenceIsCounted(t *testing.T) {
	for _, tt := range []struct {
		name           string
		silence        time.Duration
		strict         bool
		short, replies uint64
	}{
		{"t3.5", 3500 * time.Microsecond, true, 0, 2},
		{"less by what clocks differ", 3460 * time.Microsecond, true, 0, 2},
		{"3.4 characters", 3400 * time.Microsecond, false, 1, 2},
		{"3.4 characters, strict units", 3400 * time.Microsecond, true, 1, 1},
		{"none", 0, true, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := oneUnit()
			cfg.Strict = tt.strict
			simulate(t, cfg, func(h host) {
				h.write(frame(h, ask))
				time.Sleep(40500*time.Microsecond + tt.silence) // 8 + 3.5 + 20 + 9
				h.write(frame(h, ask))
				h.hear()
				got := h.bus.Stats()
				if got.ShortSilences != tt.short || got.Replies != tt.replies || got.Damaged != 2-tt.replies || got.Collisions != 0 {
					h.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestRequestForBusyUnit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		queue  bool
		want   []string
		missed uint64
	}{
		{"does not hear it", false, []string{"01 03 02 0064"}, 2},
		{"keeps the latest", true, []string{"01 03 02 0064", "01 03 02 0066"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := oneUnit()
			u := cfg.Units[1]
			u.Latency, u.Queue = 100*ms, tt.queue
			cfg.Units[1] = u
			simulate(t, cfg, func(h host) {
				for _, request := range []string{"01 03 0000 0001", "01 03 0001 0001", "01 03 0002 0001"} {
					h.write(frame(h, request))
					time.Sleep(20 * ms)
				}
				var want []byte
				for _, reply := range tt.want {
					want = append(want, frame(h, reply)...)
				}
				got, arrivals := h.hear()
				if !bytes.Equal(got, want) {
					h.Errorf("heard %x, want %x", got, want)
				}
				// The second reply begins a latency after the end of the first, at 118.5 ms.
				if last := arrivals[len(arrivals)-1].after + 60*ms; tt.queue && last != (118500+100000+7000)*time.Microsecond {
					h.Errorf("last character after %v", last)
				}
				if s := h.bus.Stats(); s.Missed != tt.missed {
					h.Errorf("%+v, want %d missed", s, tt.missed)
				}
			})
		})
	}
}

func TestOverlappingTalkIsNoise(t *testing.T) {
	t.Run("a request into a reply", func(t *testing.T) {
		simulate(t, oneUnit(), func(h host) {
			h.write(frame(h, ask))
			time.Sleep(35 * ms) // the fourth character of the reply is on the wire
			h.write(frame(h, ask))
			got, _ := h.hear()
			if want := frame(h, answer); !bytes.Equal(got[:3], want[:3]) || len(got) != 9 || bytes.Equal(got, want) {
				h.Errorf("heard %x", got)
			}
			if s := h.bus.Stats(); s.Collisions != 1 || s.Damaged != 1 || s.ShortSilences != 1 || s.Replies != 1 {
				h.Errorf("%+v", s)
			}
		})
	})
	t.Run("a late reply into a request", func(t *testing.T) {
		simulate(t, oneUnit(), func(h host) {
			h.write(frame(h, ask))
			time.Sleep(30 * ms) // the reply begins at 31.5
			h.write(frame(h, ask))
			if got, _ := h.hear(); len(got) != 9 || modbus.ValidCRC(got) {
				h.Errorf("heard %x", got)
			}
			if s := h.bus.Stats(); s.Collisions != 1 || s.Damaged != 1 || s.ShortSilences != 0 {
				h.Errorf("%+v", s)
			}
		})
	})
	t.Run("two units at once", func(t *testing.T) {
		cfg := oneUnit()
		cfg.Units[2] = sim.Unit{Device: registers(), Latency: 3 * ms}
		simulate(t, cfg, func(h host) {
			h.write(frame(h, ask)) // its reply begins at 31.5
			time.Sleep(15 * ms)
			h.write(frame(h, "02 03 0000 0002")) // at 15 + 8 + 3.5 + 3 = 29.5
			got, _ := h.hear()
			if want := frame(h, "02 03 04 0064 0065"); len(got) != 18 || !bytes.Equal(got[:2], want[:2]) {
				h.Errorf("heard %x", got)
			}
			if s := h.bus.Stats(); s.Collisions != 1 || s.Damaged != 0 || s.Replies != 2 {
				h.Errorf("%+v", s)
			}
		})
	})
}
