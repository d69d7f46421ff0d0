package tcp_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/tcp"
)

var line = modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}

// convert returns a client for RTU frames on a connection to a converter, whose
// line hands every request to device.
func convert(t *testing.T, device func(p *peer, req []byte)) (*modbus.Client, *rtu.Transport) {
	near, far := net.Pipe()
	p := &peer{conn: far, turn: make(chan struct{}, 1)}
	transport := rtu.New(tcp.NewPort(near), rtu.Config{Line: line, Virtual: true, Jitter: tcp.Jitter})
	t.Cleanup(func() { transport.Close(); far.Close() })
	go func() {
		req := make([]byte, 8) // reads and canaries are as long
		for {
			if _, err := io.ReadFull(far, req); err != nil {
				return
			}
			device(p, req)
		}
	}()
	return modbus.NewClient(transport), transport
}

// rtuReply is the correct answer to a read or a canary.
func rtuReply(req []byte) []byte {
	if req[1] == byte(modbus.Diagnostics) {
		return append([]byte(nil), req...)
	}
	address, count := binary.BigEndian.Uint16(req[2:]), binary.BigEndian.Uint16(req[4:])
	body := []byte{req[0], req[1], byte(2 * count)}
	for i := range count {
		body = binary.BigEndian.AppendUint16(body, value(req[0], address+i))
	}
	return modbus.AppendCRC(body)
}

// The network delivers the reply whole, in pieces, late, or not at all.
func TestConverter(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name   string
		device func(p *peer, req []byte)
		fault  modbus.Fault
		took   time.Duration // from the end of the silence before the request
		text   string
	}{
		{"whole", func(p *peer, req []byte) { p.say(20*ms, rtuReply(req)...) }, modbus.None, 20 * ms, ""},
		{"faster than the line", func(p *peer, req []byte) { p.say(ms, rtuReply(req)...) }, modbus.None, ms, ""},
		{"byte by byte", func(p *peer, req []byte) {
			for i, b := range rtuReply(req) {
				p.say(20*ms+time.Duration(i)*ms, b)
			}
		}, modbus.None, 44 * ms, ""},
		{"a segment lost and sent again", func(p *peer, req []byte) {
			p.say(20*ms, rtuReply(req)[:9]...)
			p.say(420*ms, rtuReply(req)[9:]...)
		}, modbus.None, 420 * ms, ""},
		{"silent", func(*peer, []byte) {}, modbus.Silent, line.Chars(8) + timing.Timeout, "no reply within 200ms"},
		{"cut short", func(p *peer, req []byte) { p.say(20*ms, rtuReply(req)[:9]...) }, modbus.Frame, 20*ms + tcp.Jitter, "damaged"},
		{"closed", func(p *peer, req []byte) { p.conn.Close() }, modbus.Medium, 0, "the other side closed the connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := convert(t, tt.device)
				start := time.Now()
				data, err := client.Do(read(1, 7, 10), timing)
				want(t, err, tt.fault)
				if took := time.Since(start) - line.Silence(); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if err == nil && !right(data, 1, 7) {
					t.Errorf("wrong values % x", data)
				}
				if err != nil && !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error %q, want %q", err, tt.text)
				}
			})
		})
	}
}

// A reply that comes while the next one is waited for is told from it by the
// canary, as on a serial port.
func TestConverterLateReply(t *testing.T) {
	for late := 150 * time.Millisecond; late < time.Second; late += 7 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			delay, busy := late, time.Now()
			client, transport := convert(t, func(p *peer, req []byte) {
				at := time.Now().Add(20 * time.Millisecond)
				if req[1] != byte(modbus.Diagnostics) {
					at, delay = at.Add(delay), 0
				}
				if at.Before(busy) {
					at = busy.Add(time.Millisecond)
				}
				busy = at
				p.say(time.Until(at), rtuReply(req)...)
			})
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
