package sim

import (
	"bytes"
	"encoding/binary"
	"slices"

	"sluice/drivers/modbus"
)

// The longest frames (Modbus over Serial Line V1.02, 2.5.1; Modbus Messaging on
// TCP/IP V1.0b, 4.1). Units stop listening to a request that is longer.
const (
	maxRTU = 256
	maxTCP = 260
)

// headerTCP is number, protocol and length; the unit follows.
const headerTCP = 6

// network is the line that stands for a network: a frame takes some microseconds.
var network = modbus.Line{Baud: 1_000_000_000, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}

// query is a request out of its frame.
type query struct {
	framing modbus.Framing
	number  uint16 // of Modbus TCP
	body    []byte // unit, function, data
}

// unwrap takes a request or a reply out of its frame; false if that is damaged. The
// body has an array of its own.
func unwrap(f modbus.Framing, adu []byte) (*query, bool) {
	q := &query{framing: f}
	switch f {
	case modbus.ASCII:
		body, err := modbus.DecodeASCII(adu)
		q.body = body
		return q, err == nil
	case modbus.TCP:
		if len(adu) < headerTCP+2 || binary.BigEndian.Uint16(adu[2:]) != 0 {
			return q, false
		}
		q.number, q.body = binary.BigEndian.Uint16(adu), slices.Clone(adu[headerTCP:])
		return q, true
	default:
		if !modbus.ValidCRC(adu) {
			return q, false
		}
		q.body = slices.Clone(adu[:len(adu)-2])
		return q, true
	}
}

// wrap puts unit, function and data of a reply into a frame.
func (q *query) wrap(body []byte) []byte {
	switch q.framing {
	case modbus.ASCII:
		return modbus.EncodeASCII(body)
	case modbus.TCP:
		adu := binary.BigEndian.AppendUint16(nil, q.number)
		adu = append(adu, 0, 0)
		adu = binary.BigEndian.AppendUint16(adu, uint16(len(body)))
		return append(adu, body...)
	default:
		return modbus.AppendCRC(body)
	}
}

// frameIn looks for a whole frame in what has come: where it is, and its size. Size
// 0 is none yet; what lies before from is of no more use then.
func frameIn(f modbus.Framing, b []byte) (from, size int) {
	if f == modbus.ASCII {
		end := bytes.IndexByte(b, '\n') + 1
		if end == 0 {
			from = max(0, bytes.LastIndexByte(b, ':'), len(b)-modbus.MaxASCII)
			return from, 0
		}
		from = max(0, bytes.LastIndexByte(b[:end], ':'))
		return from, end - from
	}
	if len(b) < headerTCP {
		return 0, 0
	}
	size = headerTCP + int(binary.BigEndian.Uint16(b[4:]))
	switch {
	case size > maxTCP: // nothing tells where the next one begins
		return len(b), 0
	case len(b) < size:
		return 0, 0
	default:
		return 0, size
	}
}
