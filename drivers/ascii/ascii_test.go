package ascii_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/ascii"
	"sluice/drivers/modbus"
)

// size is the length of the reply to a read of ten registers, whole is the time
// it takes, and silent that of a failure.
var (
	size   = len(frame(make([]byte, 23)...))
	whole  = latency + line.Chars(size)
	silent = timing.Timeout
)

// failures is what lines do to replies, and what has to become of a read of ten
// registers of unit 1. Every row is tried three times in a row: a failure must
// not spoil what follows.
var failures = []struct {
	name   string
	device func(w *wire, req []byte, end time.Time)
	fault  modbus.Fault
	took   time.Duration // from the end of the request
	text   string
}{
	{
		name: "nothing wrong", device: (*wire).polite, took: whole,
	}, {
		name: "silent unit", device: func(*wire, []byte, time.Time) {},
		fault: modbus.Silent, took: silent, text: "unit 1: silent: no reply within 200ms",
	}, {
		name: "lower-case digits",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), strings.ToLower(reply(req)))
		},
		took: whole,
	}, {
		name: "stray bytes before",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), "0A\n"+reply(req))
		},
		took: whole + line.Chars(3),
	}, {
		name: "the head of a reply before",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), ":010314"+reply(req))
		},
		took: whole + line.Chars(7),
	}, {
		name: "stray bytes after",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), reply(req)+"\x00:0")
		},
		took: whole,
	}, {
		name: "reply sent twice",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), reply(req)+reply(req))
		},
		took: whole,
	}, {
		name: "hole of 900 ms",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), reply(req)[:20])
			w.say(end.Add(latency+line.Chars(20)+900*time.Millisecond), reply(req)[20:])
		},
		took: whole + 900*time.Millisecond,
	}, {
		name: "cut short",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), reply(req)[:20])
		},
		fault: modbus.Frame, took: latency + line.Chars(20) + time.Second, text: "arrived damaged",
	}, {
		name: "character lost",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), reply(req)[:20]+reply(req)[21:])
		},
		fault: modbus.Frame, took: whole - line.Chars(1), text: "arrived damaged",
	}, {
		name: "digit changed",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), strings.Replace(reply(req), ":0103", ":0203", 1))
		},
		fault: modbus.Frame, took: whole, text: "arrived damaged",
	}, {
		name: "no carriage return",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), strings.Replace(reply(req), "\r", "", 1))
		},
		fault: modbus.Frame, took: whole - line.Chars(1), text: "arrived damaged",
	}, {
		name: "RTU frame",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), string(modbus.AppendCRC([]byte{1, 3, 2, 0, 7})))
		},
		fault: modbus.Frame, took: silent, text: "7 bytes that are no reply: noise, another speed or format, or RTU",
	}, {
		name: "reply of another unit",
		device: func(w *wire, req []byte, end time.Time) {
			req[0] = 2
			w.polite(req, end)
		},
		fault: modbus.Silent, took: silent, text: "but frames of others",
	}, {
		name: "reply of another unit before ours",
		device: func(w *wire, req []byte, end time.Time) {
			other := append([]byte{2}, req[1:]...)
			end = w.say(end.Add(latency), reply(other))
			w.say(end, reply(req))
		},
		took: whole + line.Chars(size),
	}, {
		name: "reply with more registers",
		device: func(w *wire, req []byte, end time.Time) {
			req[5]++
			w.polite(req, end)
		},
		fault: modbus.Silent, took: silent,
	}, {
		name: "exception",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), frame(req[0], req[1]|0x80, 2))
		},
		fault: modbus.Refused, took: latency + line.Chars(11), text: "exception 2",
	}, {
		name: "endless digits",
		device: func(w *wire, req []byte, end time.Time) {
			w.say(end.Add(latency), ":"+strings.Repeat("0", 600))
		},
		fault: modbus.Frame, took: latency + line.Chars(514), text: "arrived damaged",
	},
}

func TestFailures(t *testing.T) {
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _, client := newWire(ascii.Config{})
				for range 3 {
					w.device = func(req []byte, end time.Time) {
						if req[1] == byte(modbus.Diagnostics) {
							w.polite(req, end)
							return
						}
						tt.device(w, req, end)
					}
					data, err := client.Do(read(1, 7, 10), timing)
					want(t, err, tt.fault)
					last := len(w.sent) - 1
					if took := time.Since(w.starts[last]) - line.Chars(len(w.sent[last])); (took - tt.took).Abs() > time.Microsecond {
						t.Errorf("took %v, want %v", took, tt.took)
					}
					if err == nil && !right(data, 1, 7) {
						t.Errorf("wrong values % x", data)
					}
					if err != nil && !strings.Contains(err.Error(), tt.text) {
						t.Errorf("error %q, want %q", err, tt.text)
					}
					time.Sleep(time.Second)
					w.device = w.polite
					for _, unit := range []byte{2, 1} {
						data, err := client.Do(read(modbus.UnitID(unit), 9, 10), timing)
						if err != nil || !right(data, unit, 9) {
							t.Errorf("unit %d afterwards: % x, %v", unit, data, err)
						}
					}
				}
			})
		})
	}
}

// The frames are the example of Modbus over Serial Line V1.02, appendix, and a
// broadcast, which nobody answers.
func TestFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, client := newWire(ascii.Config{})
		if _, err := client.Do(read(0x11, 0x6B, 3), timing); err != nil || w.sent[0] != ":1103006B00037E\r\n" {
			t.Errorf("sent %q, %v", w.sent[0], err)
		}
		w.device = nil
		start := time.Now()
		_, err := client.Do(modbus.Request{Function: modbus.WriteMultipleRegisters, Count: 1, Data: []byte{1, 2}}, timing)
		if took := time.Since(start); err != nil || took != line.Silence()+line.Chars(len(w.sent[1]))+100*time.Millisecond {
			t.Errorf("broadcast: %v after %v", err, took)
		}
	})
}

func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		write := modbus.Request{Unit: 1, Function: modbus.WriteSingleRegister, Data: []byte{0, 1}}
		w, _, client := newWire(ascii.Config{Echo: true})
		if data, err := client.Do(read(1, 7, 10), timing); err != nil || !right(data, 1, 7) {
			t.Errorf("read: % x, %v", data, err)
		}
		w.device = nil
		_, err := client.Do(write, timing) // the echo is not the reply, though it looks like it
		want(t, err, modbus.Silent)
		w, _, client = newWire(ascii.Config{Echo: true})
		w.echo = false
		_, err = client.Do(read(1, 7, 10), timing)
		want(t, err, modbus.Frame)
		if !strings.Contains(err.Error(), "what came back is not the request") {
			t.Error(err)
		}
		w, _, client = newWire(ascii.Config{Echo: true})
		w.echo, w.device = false, nil
		_, err = client.Do(read(1, 7, 10), timing)
		want(t, err, modbus.Frame)
		if !strings.Contains(err.Error(), "did not come back") {
			t.Error(err)
		}
	})
}

// The reply to the first read comes while a later one waits: it has the very shape
// that one asks for.
func TestLateReplyIsNotAccepted(t *testing.T) {
	for _, ignores := range []bool{false, true} {
		for late := 150 * time.Millisecond; late < time.Second; late += 7 * time.Millisecond {
			synctest.Test(t, func(t *testing.T) {
				w, transport, client := newWire(ascii.Config{})
				delay, busy := late, time.Time{}
				w.device = func(req []byte, end time.Time) {
					switch {
					case req[1] != byte(modbus.Diagnostics):
						end = end.Add(delay)
						delay = 0
					case ignores:
						return
					}
					if end.Before(busy) {
						end = busy
					}
					busy = w.say(end.Add(latency), reply(req))
				}
				for address := range uint16(20) {
					time.Sleep(time.Until(transport.NotBefore(1)))
					data, err := client.Do(read(1, address, 10), timing)
					if err == nil && !right(data, 1, address) {
						t.Fatalf("%v late: wrong values at %d", late, address)
					}
					if err != nil && address > 10 {
						t.Errorf("%v late: still %v at %d", late, err, address)
					}
				}
			})
		}
	}
}

func TestBabbleAndLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, transport, client := newWire(ascii.Config{})
		w.say(time.Now(), strings.Repeat("U", 1000))
		time.Sleep(line.Chars(2))
		start := time.Now()
		_, err := client.Do(read(1, 0, 1), timing)
		want(t, err, modbus.Frame)
		if took := time.Since(start); took > 250*time.Millisecond || len(w.sent) != 0 {
			t.Errorf("took %v, %d requests sent", took, len(w.sent))
		}
		time.Sleep(2 * time.Second)
		_, err = client.Do(read(1, 0, 1), timing)
		want(t, err, modbus.None)
		transport.Close()
		_, err = client.Do(read(1, 0, 1), timing)
		want(t, err, modbus.Medium)
		if !errors.Is(err, errGone) {
			t.Error(err)
		}
		_, err = transport.Exchange([]byte(":01"), timing)
		want(t, err, modbus.Unsupported)
	})
}

// Whatever arrives: the client returns what was asked for, or an error in time.
func FuzzReply(f *testing.F) {
	req := []byte{1, 3, 0, 0, 0, 2}
	f.Add(reply(req))
	f.Add(":01" + reply(req))
	f.Add(frame(1, 0x83, 2))
	f.Add(frame(1, 3, 0) + "\n" + reply(req))
	f.Fuzz(func(t *testing.T, text string) {
		text = text[:min(len(text), 2000)]
		synctest.Test(t, func(t *testing.T) {
			w, _, client := newWire(ascii.Config{})
			w.device = func(_ []byte, end time.Time) { w.say(end.Add(latency), text) }
			start := time.Now()
			data, err := client.Do(read(1, 0, 2), timing)
			if (err == nil) != (len(data) == 4) {
				t.Errorf("% x, %v", data, err)
			}
			if err == nil && !strings.Contains(strings.ToUpper(text), frame(append([]byte{1, 3, 4}, data...)...)) {
				t.Errorf("% x was not sent", data)
			}
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
		})
	})
}

// TestLatency is what adaptive timeouts are made from.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, transport, client := newWire(ascii.Config{})
		if _, err := client.Do(read(1, 7, 10), timing); err != nil || (transport.Latency()-latency).Abs() > time.Microsecond {
			t.Errorf("%v, %v, want %v", transport.Latency(), err, latency)
		}
		w.device = nil
		if client.Do(read(1, 7, 10), timing); transport.Latency() != 0 {
			t.Errorf("%v without a reply", transport.Latency())
		}
	})
}
