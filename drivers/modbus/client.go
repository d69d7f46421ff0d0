package modbus

import (
	"encoding/binary"
	"errors"

	goburrow "github.com/goburrow/modbus"
)

// Client turns requests into exchanges on one bus, for every unit of it. It is
// not safe for concurrent use: the bus that owns the Transport owns the Client.
type Client struct {
	client goburrow.Client
	link   *link
}

// NewClient returns a client for the frames of t.
func NewClient(t Transport) *Client {
	l := newLink(t)
	return &Client{client: goburrow.NewClient2(l, l), link: l}
}

// Do performs one exchange. It returns what Request says for its function, the
// registers or coils of the reply as on the wire for a read and nil for a write;
// the slice belongs to the caller. Errors are *Error:
// those of the Transport, an exception of the unit by its consequence, Frame for
// a reply of another shape, and Refused without an exception for a request that
// no unit may be sent.
func (c *Client) Do(req Request, t Timing) ([]byte, error) {
	broadcast := req.Unit == Broadcast && c.link.transport.Framing() != TCP
	if err := req.check(broadcast); err != nil {
		return nil, &Error{Fault: Refused, Unit: req.Unit, Err: err}
	}
	*c.link.unit = byte(req.Unit)
	c.link.timing, c.link.broadcast = t, broadcast
	data, err := c.call(req)
	switch {
	case err != nil:
		return nil, explain(req.Unit, err)
	case req.Function.writes():
		return nil, nil // goburrow hands back the echo, which it has compared
	default:
		return data, nil
	}
}

// call is a plain dispatch; req has been checked.
func (c *Client) call(req Request) ([]byte, error) {
	word := func(i int) uint16 { return binary.BigEndian.Uint16(req.Data[i:]) }
	switch req.Function {
	case ReadCoils:
		return c.client.ReadCoils(req.Address, req.Count)
	case ReadDiscreteInputs:
		return c.client.ReadDiscreteInputs(req.Address, req.Count)
	case ReadHoldingRegisters:
		return c.client.ReadHoldingRegisters(req.Address, req.Count)
	case ReadInputRegisters:
		return c.client.ReadInputRegisters(req.Address, req.Count)
	case WriteSingleCoil:
		return c.client.WriteSingleCoil(req.Address, word(0))
	case WriteSingleRegister:
		return c.client.WriteSingleRegister(req.Address, word(0))
	case WriteMultipleCoils:
		return c.client.WriteMultipleCoils(req.Address, req.Count, req.Data)
	case WriteMultipleRegisters:
		return c.client.WriteMultipleRegisters(req.Address, req.Count, req.Data)
	case MaskWriteRegister:
		return c.client.MaskWriteRegister(req.Address, word(0), word(2))
	case ReadWriteMultipleRegisters:
		registers := req.Data[2:]
		return c.client.ReadWriteMultipleRegisters(req.Address, req.Count, word(0), uint16(len(registers)/2), registers)
	case ReadFIFOQueue:
		return c.client.ReadFIFOQueue(req.Address)
	default:
		return c.link.call(req)
	}
}

// explain turns what goburrow returns into an *Error.
func explain(unit UnitID, err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[*goburrow.ModbusError](err); ok {
		return &Error{Fault: faultOfException(e.ExceptionCode), Unit: unit, Exception: e.ExceptionCode}
	}
	return &Error{Fault: Frame, Unit: unit, Err: err}
}
