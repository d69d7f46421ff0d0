package tcp_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/tcp"
)

const latency = 5 * time.Millisecond

var timing = modbus.Timing{Timeout: 200 * time.Millisecond}

// peer is a device at the far end of a connection in memory.
type peer struct {
	conn  net.Conn
	near  *tcp.Transport // what asks it
	asked [][]byte
	turn  chan struct{} // keeps frames whole; a mutex would keep the bubble from idling
}

// say writes bytes after d, without holding anybody up.
func (p *peer) say(d time.Duration, b ...byte) {
	time.AfterFunc(d, func() {
		p.turn <- struct{}{}
		p.conn.Write(b)
		<-p.turn
	})
}

// polite answers a read with values that tell where they come from.
func (p *peer) polite(req []byte) { p.say(latency, reply(req)...) }

// connect returns a client on a connection whose far end hands every request to
// device.
func connect(t *testing.T, device func(p *peer, req []byte)) (*modbus.Client, *peer) {
	near, far := net.Pipe()
	p := &peer{conn: far, near: tcp.New(near), turn: make(chan struct{}, 1)}
	t.Cleanup(func() { p.near.Close(); far.Close() })
	go func() {
		for {
			header := make([]byte, 6)
			if _, err := io.ReadFull(far, header); err != nil {
				return
			}
			req := append(header, make([]byte, binary.BigEndian.Uint16(header[4:]))...)
			if _, err := io.ReadFull(far, req[6:]); err != nil {
				return
			}
			p.asked = append(p.asked, req)
			device(p, req)
		}
	}()
	return modbus.NewClient(p.near), p
}

// frame wraps unit, function and data for the request.
func frame(req []byte, body ...byte) []byte {
	b := append([]byte{req[0], req[1], 0, 0}, byte(len(body)>>8), byte(len(body)))
	return append(b, body...)
}

func value(unit byte, address uint16) uint16 { return uint16(unit)*257 ^ address*40503 }

func reply(req []byte) []byte {
	address, count := binary.BigEndian.Uint16(req[8:]), binary.BigEndian.Uint16(req[10:])
	body := []byte{req[6], req[7], byte(2 * count)}
	for i := range count {
		body = binary.BigEndian.AppendUint16(body, value(req[6], address+i))
	}
	return frame(req, body...)
}

func read(unit modbus.UnitID, address, count uint16) modbus.Request {
	return modbus.Request{Unit: unit, Function: modbus.ReadHoldingRegisters, Address: address, Count: count}
}

func right(data []byte, unit byte, address uint16) bool {
	for i := 0; i+1 < len(data); i += 2 {
		if binary.BigEndian.Uint16(data[i:]) != value(unit, address+uint16(i/2)) {
			return false
		}
	}
	return len(data) > 0
}

func want(t *testing.T, err error, fault modbus.Fault) {
	t.Helper()
	if modbus.FaultOf(err) != fault || (err == nil) != (fault == modbus.None) {
		t.Fatalf("error %v, want fault %v", err, fault)
	}
}
