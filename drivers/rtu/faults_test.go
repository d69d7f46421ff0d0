package rtu_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
)

// failures is what serial lines do to replies, and what has to become of a read
// of ten registers of unit 1. Every row is tried three times in a row: a failure
// must not spoil what follows.
var failures = []struct {
	name   string
	device func(w *wire, req []byte, end time.Time)
	fault  modbus.Fault
	within time.Duration // of the end of the request; 0: not looked at
}{
	{
		name:   "nothing wrong",
		device: (*wire).polite,
	}, {
		name: "silent unit",
		device: func(*wire, []byte, time.Time) {
		},
		fault: modbus.Silent, within: timing.Timeout,
	}, {
		name: "three stray bytes before",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), append([]byte{0x00, 0x01, 0xFF}, reply(req)...)...)
		},
	}, {
		name: "the head of a reply before",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), append([]byte{0x01, 0x03, 0x14}, reply(req)...)...)
		},
	}, {
		name: "three stray bytes after",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), append(reply(req), 0x00, 0x01, 0xFF)...)
		},
	}, {
		name: "glitch when the line changes direction",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(-line.Chars(1)/2), 0x00)
			w.polite(req, end)
		},
	}, {
		name: "glitch and silence",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(line.Chars(1)), 0x00)
		},
		fault: modbus.Silent, within: timing.Timeout,
	}, {
		name: "reply sent twice",
		device: func(w *wire, req []byte, end time.Time) {
			end = w.say(end.Add(latency), reply(req)...)
			w.say(end.Add(time.Millisecond), reply(req)...)
		},
	}, {
		name: "byte lost",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), append(reply(req)[:10:10], reply(req)[11:]...)...)
		},
		fault: modbus.Frame, within: latency + line.Chars(25) + 40*time.Millisecond,
	}, {
		name: "cut short",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), reply(req)[:12]...)
		},
		fault: modbus.Frame, within: latency + line.Chars(25) + 40*time.Millisecond,
	}, {
		name: "bit flipped",
		device: func(w *wire, req []byte, end time.Time) {
			frame := reply(req)
			frame[7] ^= 0x10
			w.say(end.Add(latency), frame...)
		},
		fault: modbus.Frame, within: latency + line.Chars(25),
	}, {
		name: "reply of another unit",
		device: func(w *wire, req []byte, end time.Time) {
			req[0] = 2
			w.polite(req, end)
		},
		fault: modbus.Frame, within: timing.Timeout,
	}, {
		name: "reply of another unit before ours",
		device: func(w *wire, req []byte, end time.Time) {
			other := append([]byte{2}, req[1:]...)
			end = w.say(end.Add(latency), reply(other)...)
			w.say(end.Add(line.Silence()), reply(req)...)
		},
	}, {
		name: "reply with more registers",
		device: func(w *wire, req []byte, end time.Time) {
			req[5]++
			w.polite(req, end)
		},
		fault: modbus.Frame,
	}, {
		name: "reply with another function",
		device: func(w *wire, req []byte, end time.Time) {
			req[1] = byte(modbus.ReadInputRegisters)
			w.polite(req, end)
		},
		fault: modbus.Frame,
	}, {
		name: "exception of a slow unit",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(150*time.Millisecond), exception(req, 2)...)
		},
		fault: modbus.Refused,
	}, {
		name: "busy",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), exception(req, 6)...)
		},
		fault: modbus.Busy,
	}, {
		name: "function unknown",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), exception(req, 1)...)
		},
		fault: modbus.Unsupported,
	},
}

func TestFailures(t *testing.T) {
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _, client := newWire(rtu.Config{})
				faulty := func(req []byte, end time.Time) {
					if req[1] == byte(modbus.Diagnostics) || req[0] != 1 {
						w.polite(req, end)
						return
					}
					tt.device(w, req, end)
				}
				for range 3 {
					w.device = faulty
					data, err := client.Do(readHolding(1, 7, 10), timing)
					want(t, err, tt.fault)
					if sent := w.requests[len(w.requests)-1].end; tt.within > 0 && time.Since(sent) > tt.within {
						t.Errorf("took %v, want at most %v", time.Since(sent), tt.within)
					}
					if err == nil && !right(data, 1, 7) {
						t.Errorf("wrong values % x", data)
					}
					w.device = w.polite
					for _, unit := range []byte{2, 1} {
						data, err := client.Do(readHolding(modbus.UnitID(unit), 9, 10), timing)
						if err != nil || !right(data, unit, 9) {
							t.Errorf("unit %d afterwards: % x, %v", unit, data, err)
						}
					}
				}
				if w.hush() < line.Silence() {
					t.Errorf("a request after only %v of silence", w.hush())
				}
			})
		})
	}
}

func TestEcho(t *testing.T) {
	write := modbus.Request{Unit: 1, Function: modbus.WriteSingleRegister, Data: []byte{1, 2}}
	tests := []struct {
		name    string
		adapter bool // whether it echoes; the bus is configured for it
		trigger int
		req     modbus.Request
		device  func(w *wire, req []byte, end time.Time)
		fault   modbus.Fault
	}{
		{name: "read", adapter: true, req: readHolding(1, 0, 10), device: (*wire).polite},
		{name: "read, echo and reply in lumps", adapter: true, trigger: 14, req: readHolding(1, 0, 10), device: (*wire).polite},
		{name: "write", adapter: true, req: write, device: (*wire).polite},
		{name: "write to a dead unit", adapter: true, req: write, device: func(*wire, []byte, time.Time) {}, fault: modbus.Silent},
		{name: "no echo", req: readHolding(1, 0, 10), device: (*wire).polite, fault: modbus.Frame},
		{name: "no echo and a dead unit", req: write, device: func(*wire, []byte, time.Time) {}, fault: modbus.Frame},
		{name: "another sender", adapter: true, req: write, fault: modbus.Frame,
			device: func(w *wire, _ []byte, _ time.Time) { w.in[3].b ^= 0x40 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _, client := newWire(rtu.Config{Echo: true})
				w.echo, w.trigger = tt.adapter, tt.trigger
				w.device = func(req []byte, end time.Time) { tt.device(w, req, end) }
				for range 3 {
					_, err := client.Do(tt.req, timing)
					if errors.Is(err, modbus.ErrInDoubt) {
						time.Sleep(2 * time.Second)
						continue
					}
					want(t, err, tt.fault)
				}
			})
		})
	}
}

// Without the setting, an echo that comes byte by byte is known by its time.
func TestUnexpectedEchoIsTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, transport, client := newWire(rtu.Config{})
		w.echo, w.device = true, nil
		_, err := client.Do(modbus.Request{Unit: 1, Function: modbus.WriteSingleRegister, Data: []byte{1, 2}}, timing)
		want(t, err, modbus.Silent)
		if n := transport.Stats().EarlyBytes; n != 8 {
			t.Errorf("%d early bytes, want the 8 of the echo", n)
		}
	})
}

func TestMinDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, client := newWire(rtu.Config{})
		_, err := client.Do(readHolding(1, 0, 1), modbus.Timing{Timeout: timing.Timeout, MinDelay: 20 * time.Millisecond})
		want(t, err, modbus.Silent)
		if len(w.requests) != 1 {
			t.Errorf("%d requests, want 1", len(w.requests))
		}
	})
}

// On a pseudo-terminal the whole reply is there at once.
func TestVirtualPort(t *testing.T) {
	for _, tt := range []struct {
		minDelay time.Duration
		fault    modbus.Fault
	}{{0, modbus.None}, {time.Millisecond, modbus.Silent}} {
		synctest.Test(t, func(t *testing.T) {
			w, _, client := newWire(rtu.Config{Virtual: true})
			w.device = func([]byte, time.Time) {
				for _, b := range modbus.AppendCRC([]byte{1, 3, 2, 0x12, 0x34}) {
					w.in = append(w.in, character{at: time.Now(), b: b})
				}
			}
			start := time.Now()
			data, err := client.Do(readHolding(1, 0, 1), modbus.Timing{Timeout: timing.Timeout, MinDelay: tt.minDelay})
			if modbus.FaultOf(err) != tt.fault {
				t.Fatalf("minimum %v: %v, want fault %v", tt.minDelay, err, tt.fault)
			}
			if err == nil && (!bytes.Equal(data, []byte{0x12, 0x34}) || time.Since(start) != line.Silence()) {
				t.Errorf("% x after %v, want 12 34 after %v", data, time.Since(start), line.Silence())
			}
		})
	}
}

func TestUnplug(t *testing.T) {
	tests := []struct {
		name string
		set  func(w *wire)
	}{
		{"while idle", func(w *wire) { w.gone = time.Now() }},
		{"during the request", func(w *wire) { w.gone = time.Now().Add(line.Silence() + line.Chars(3)) }},
		{"during the reply", func(w *wire) { w.gone = time.Now().Add(line.Silence() + line.Chars(8) + latency + line.Chars(10)) }},
		{"short write", func(w *wire) { w.refuse = true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _, client := newWire(rtu.Config{})
				tt.set(w)
				start := time.Now()
				_, err := client.Do(readHolding(1, 0, 10), timing)
				want(t, err, modbus.Medium)
				if took := time.Since(start); took > line.Silence()+line.Chars(33)+latency {
					t.Errorf("noticed after %v", took)
				}
			})
		})
	}
}

// Every function goes out and comes back in the shape the specification gives.
func TestFunctions(t *testing.T) {
	masks := []byte{0, 0xF2, 0, 0x25}
	tests := []modbus.Request{
		{Function: modbus.ReadCoils, Address: 19, Count: 19},
		{Function: modbus.ReadDiscreteInputs, Address: 19, Count: 8},
		{Function: modbus.ReadHoldingRegisters, Address: 1, Count: 125},
		{Function: modbus.ReadInputRegisters, Address: 1, Count: 1},
		{Function: modbus.WriteSingleCoil, Address: 1, Data: []byte{0xFF, 0}},
		{Function: modbus.WriteSingleRegister, Address: 1, Data: []byte{1, 2}},
		{Function: modbus.WriteMultipleCoils, Address: 1, Count: 10, Data: []byte{1, 2}},
		{Function: modbus.WriteMultipleRegisters, Address: 1, Count: 2, Data: []byte{1, 2, 3, 4}},
		{Function: modbus.MaskWriteRegister, Address: 4, Data: masks},
		{Function: modbus.ReadWriteMultipleRegisters, Address: 3, Count: 6, Data: []byte{0, 14, 1, 2, 3, 4}},
	}
	synctest.Test(t, func(t *testing.T) {
		w, _, client := newWire(rtu.Config{})
		for _, req := range tests {
			req.Unit = 5
			if _, err := client.Do(req, timing); err != nil {
				t.Errorf("%v: %v", req.Function, err)
			}
		}
		w.device = func(req []byte, end time.Time) {
			w.say(end.Add(latency), modbus.AppendCRC([]byte{5, 24, 0, 6, 0, 2, 1, 0xB8, 0x12, 0x84})...)
		}
		data, err := client.Do(modbus.Request{Unit: 5, Function: modbus.ReadFIFOQueue, Address: 0x04DE}, timing)
		if err != nil || !bytes.Equal(data, []byte{1, 0xB8, 0x12, 0x84}) {
			t.Errorf("FIFO queue: % x, %v", data, err)
		}
	})
}

// The reply says how long it is, or only the silence behind it does.
func TestRepliesOfTheirOwnLength(t *testing.T) {
	tests := []struct {
		req   modbus.Request
		reply string
		holes bool // the reply is known to be complete only when the line stays silent
	}{
		{modbus.Request{Function: modbus.ReportServerID}, "\x05M1\x00\xff!", false},
		{modbus.Request{Function: modbus.EncapsulatedInterface, Data: []byte{14, 1, 0}}, "\x0e\x01\x01\x00\x00\x02\x00\x03ACM\x01\x02T1", false},
		{modbus.Request{Function: 65, Data: []byte{1}}, "any length", true},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			w, _, client := newWire(rtu.Config{})
			frame := modbus.AppendCRC(append([]byte{5, byte(tt.req.Function)}, tt.reply...))
			w.device = func(req []byte, end time.Time) { w.say(end.Add(latency), frame...) }
			tt.req.Unit = 5
			data, err := client.Do(tt.req, timing)
			want := strings.TrimPrefix(tt.reply, "\x05")
			if err != nil || string(data) != want {
				t.Errorf("%v: %q, %v", tt.req.Function, data, err)
			}
			took := time.Since(w.requests[0].end) - latency - line.Chars(len(frame))
			if tt.holes && took < 40*time.Millisecond || !tt.holes && took != 0 {
				t.Errorf("%v: %v after the last byte", tt.req.Function, took)
			}
		})
	}
}

// Frames of which the reply cannot be foreseen are not sent.
func TestExchangeRefusesWhatItCannotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, transport, _ := newWire(rtu.Config{})
		for _, adu := range [][]byte{
			nil, {1, 3}, modbus.AppendCRC([]byte{1, 3, 0}), modbus.AppendCRC([]byte{1, 20, 3, 6, 0, 4}),
			modbus.AppendCRC([]byte{1, 3, 0, 0, 0, 200}), modbus.AppendCRC([]byte{1, 22, 0, 0, 0, 0}), make([]byte, 300),
		} {
			_, err := transport.Exchange(adu, timing)
			want(t, err, modbus.Unsupported)
		}
		if len(w.requests) != 0 {
			t.Errorf("%d requests on the wire", len(w.requests))
		}
	})
}
