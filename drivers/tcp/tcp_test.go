package tcp_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
)

// failures is what devices and gateways on TCP do, and what has to become of a
// read of ten registers of unit 1. Every row is tried three times in a row: a
// failure must not spoil what follows.
var failures = []struct {
	name   string
	device func(p *peer, req []byte)
	fault  modbus.Fault
	took   time.Duration
	text   string
}{
	{
		name: "nothing wrong", device: (*peer).polite, took: latency,
	}, {
		name: "silent device", device: func(*peer, []byte) {},
		fault: modbus.Silent, took: timing.Timeout, text: "unit 1: silent: no reply within 200ms",
	}, {
		name: "in two pieces",
		device: func(p *peer, req []byte) {
			p.say(latency, reply(req)[:4]...)
			p.say(2*latency, reply(req)[4:]...)
		},
		took: 2 * latency,
	}, {
		name: "number of another request first",
		device: func(p *peer, req []byte) {
			other := reply(req)
			other[0]++
			p.say(latency, append(other, reply(req)...)...)
		},
		took: latency,
	}, {
		name: "always number 0",
		device: func(p *peer, req []byte) {
			other := reply(req)
			other[0], other[1] = 0, 0
			p.say(latency, other...)
		},
		fault: modbus.Silent, took: timing.Timeout, text: "no reply within 200ms, but 1 to other requests",
	}, {
		name: "reply of another unit",
		device: func(p *peer, req []byte) {
			other := reply(req)
			other[6] = 2
			p.say(latency, other...)
		},
		fault: modbus.Frame, took: latency, text: "unit 2 answered in its place",
	}, {
		name: "reply with more registers",
		device: func(p *peer, req []byte) {
			req[11]++
			p.polite(req)
		},
		fault: modbus.Frame, took: latency,
	}, {
		name: "reply with another function",
		device: func(p *peer, req []byte) {
			req[7] = byte(modbus.ReadInputRegisters)
			p.polite(req)
		},
		fault: modbus.Frame, took: latency,
	}, {
		name: "reply longer than it says",
		device: func(p *peer, req []byte) {
			body := reply(req)[6:]
			p.say(latency, frame(req, append(body, 0)...)...)
		},
		fault: modbus.Frame, took: latency,
	}, {
		name: "unit behind the gateway does not answer",
		device: func(p *peer, req []byte) {
			p.say(latency, frame(req, req[6], req[7]|0x80, 11)...)
		},
		fault: modbus.Silent, took: latency, text: "gateway target device failed to respond",
	}, {
		name: "busy",
		device: func(p *peer, req []byte) {
			p.say(latency, frame(req, req[6], req[7]|0x80, 6)...)
		},
		fault: modbus.Busy, took: latency,
	}, {
		name: "exception without a code",
		device: func(p *peer, req []byte) {
			p.say(latency, frame(req, req[6], req[7]|0x80)...)
		},
		fault: modbus.Frame, took: latency,
	},
}

func TestFailures(t *testing.T) {
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				device := tt.device
				client, _ := connect(t, func(p *peer, req []byte) { device(p, req) })
				for range 3 {
					device = tt.device
					start := time.Now()
					data, err := client.Do(read(1, 7, 10), timing)
					want(t, err, tt.fault)
					if took := time.Since(start); took != tt.took {
						t.Errorf("took %v, want %v", took, tt.took)
					}
					if err == nil && !right(data, 1, 7) {
						t.Errorf("wrong values % x", data)
					}
					if err != nil && !strings.Contains(err.Error(), tt.text) {
						t.Errorf("error %q, want %q", err, tt.text)
					}
					synctest.Wait()
					device = (*peer).polite
					if data, err := client.Do(read(1, 9, 10), timing); err != nil || !right(data, 1, 9) {
						t.Errorf("afterwards: % x, %v", data, err)
					}
					synctest.Wait()
				}
			})
		})
	}
}

// What cannot be a header means that the connection has to be made anew.
func TestBrokenConnection(t *testing.T) {
	for _, tt := range []struct {
		name   string
		device func(p *peer, req []byte)
		text   string
	}{
		{"closed", func(p *peer, req []byte) { p.conn.Close() }, "the other side closed the connection"},
		{"closed within a reply", func(p *peer, req []byte) {
			p.conn.Write(reply(req)[:9])
			p.conn.Close()
		}, "the other side closed the connection"},
		{"RTU frames", func(p *peer, req []byte) { p.say(latency, modbus.AppendCRC(reply(req)[6:])...) }, "a converter may need framing: rtu"},
		{"no room for a function", func(p *peer, req []byte) { p.say(latency, frame(req, 1)...) }, "is no header"},
		{"too long", func(p *peer, req []byte) { p.say(latency, frame(req, make([]byte, 255)...)...) }, "is no header"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := connect(t, tt.device)
				_, err := client.Do(read(1, 0, 10), timing)
				want(t, err, modbus.Medium)
				if !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error %q, want %q", err, tt.text)
				}
			})
		})
	}
}

// A reply that is late has the very shape the next one has to have; its number
// tells them apart.
func TestLateReplyIsDroppedByNumber(t *testing.T) {
	for late := 150 * time.Millisecond; late < time.Second; late += 7 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			delay := late
			client, _ := connect(t, func(p *peer, req []byte) {
				p.say(delay, reply(req)...)
				delay = 0
			})
			failed := 0
			for address := range uint16(20) {
				data, err := client.Do(read(1, address, 10), timing)
				if err != nil {
					failed++
				} else if !right(data, 1, address) {
					t.Fatalf("%v late: wrong values at %d", late, address)
				}
			}
			if limit := 1; failed > limit {
				t.Errorf("%v late: %d of 20 reads failed, want at most %d", late, failed, limit)
			}
		})
	}
}

// The part of a reply that came in time is not lost, so that the rest of it can
// be told from the next.
func TestReplyCutByTheDeadline(t *testing.T) {
	for cut := 1; cut < 20; cut++ {
		synctest.Test(t, func(t *testing.T) {
			slow := true
			client, _ := connect(t, func(p *peer, req []byte) {
				if !slow {
					p.polite(req)
					return
				}
				slow = false
				p.say(latency, reply(req)[:cut]...)
				p.say(timing.Timeout+latency, reply(req)[cut:]...)
			})
			_, err := client.Do(read(1, 0, 10), timing)
			want(t, err, modbus.Silent)
			data, err := client.Do(read(1, 5, 10), modbus.Timing{Timeout: timing.Timeout, Gap: 10 * time.Millisecond})
			if err != nil || !right(data, 1, 5) {
				t.Errorf("cut at %d: % x, %v", cut, data, err)
			}
		})
	}
}

func TestGapIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := connect(t, (*peer).polite)
		for i := range 3 {
			start := time.Now()
			_, err := client.Do(read(1, 0, 1), modbus.Timing{Timeout: time.Second, Gap: 50 * time.Millisecond})
			want(t, err, modbus.None)
			if took := time.Since(start); i > 0 && took != 50*time.Millisecond+latency {
				t.Errorf("took %v", took)
			}
		}
	})
}

// A device that has hung with its connection open is given a new one, but not
// one that is only slow, nor one that nobody asked.
func TestDeafConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := connect(t, func(p *peer, req []byte) {
			if req[6] == 1 {
				p.polite(req)
			}
		})
		_, err := client.Do(read(1, 0, 1), timing)
		want(t, err, modbus.None)
		time.Sleep(time.Hour)
		for range 2 {
			_, err = client.Do(read(2, 0, 1), timing)
			want(t, err, modbus.Silent)
		}
		_, err = client.Do(read(2, 0, 1), timing)
		want(t, err, modbus.Medium)
		if !strings.Contains(err.Error(), "nothing has come for 30s") {
			t.Error(err)
		}
	})
}

// Unit 0 is the device itself: it answers, and may be read.
func TestUnits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, p := connect(t, (*peer).polite)
		for _, unit := range []modbus.UnitID{0, 1, 247, 248, 255} {
			data, err := client.Do(read(unit, 3, 2), timing)
			if err != nil || !right(data, byte(unit), 3) {
				t.Errorf("unit %d: % x, %v", unit, data, err)
			}
		}
		synctest.Wait()
		if got, want := p.asked[4], []byte{0, 5, 0, 0, 0, 6, 255, 3, 0, 3, 0, 2}; !bytes.Equal(got, want) {
			t.Errorf("sent % x, want % x", got, want)
		}
	})
}

// Whatever arrives: the client returns what was asked for, or an error.
func FuzzReply(f *testing.F) {
	req := []byte{0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2}
	f.Add(reply(req), 3)
	f.Add(frame(req, 1, 0x83, 2), 100)
	f.Add(append(frame(make([]byte, 2), 1, 3, 0), reply(req)...), 9)
	f.Fuzz(func(t *testing.T, input []byte, cut int) {
		cut = min(max(cut, 0), len(input))
		synctest.Test(t, func(t *testing.T) {
			client, _ := connect(t, func(p *peer, _ []byte) {
				p.say(latency, input[:cut]...)
				p.say(2*latency, input[cut:]...)
			})
			data, err := client.Do(read(1, 0, 2), timing)
			if (err == nil) != (len(data) == 4) {
				t.Errorf("% x, %v", data, err)
			}
			if err == nil && !bytes.Contains(input, append([]byte{1, 3, 4}, data...)) {
				t.Errorf("% x was not sent", data)
			}
		})
	})
}

// TestLatency is what adaptive timeouts are made from.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := (*peer).polite
		client, p := connect(t, func(p *peer, req []byte) { device(p, req) })
		if _, err := client.Do(read(1, 7, 10), timing); err != nil || p.near.Latency() != latency {
			t.Errorf("%v, %v, want %v", p.near.Latency(), err, latency)
		}
		device = func(*peer, []byte) {}
		if client.Do(read(1, 7, 10), timing); p.near.Latency() != 0 {
			t.Errorf("%v without a reply", p.near.Latency())
		}
	})
}
