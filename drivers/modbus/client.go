package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"

	goburrow "github.com/goburrow/modbus"
)

// Client turns requests into exchanges on one bus, for every unit of it. It is
// not safe for concurrent use: the bus that owns the Transport owns the Client.
type Client struct {
	client goburrow.Client
	link   *link
}

// NewClient returns a client for RTU frames over t.
func NewClient(t Transport) *Client {
	l := &link{RTUClientHandler: goburrow.NewRTUClientHandler(""), transport: t}
	return &Client{client: goburrow.NewClient2(l, l), link: l}
}

// Do performs one exchange. It returns the registers or coils of the reply as on
// the wire, nil for a write; the slice belongs to the caller. Errors are *Error:
// those of the Transport, an exception of the unit by its consequence, Frame for
// a reply of another shape, and Refused without an exception for a request that
// no unit may be sent.
func (c *Client) Do(req Request, t Timing) ([]byte, error) {
	if err := req.check(); err != nil {
		return nil, &Error{Fault: Refused, Unit: req.Unit, Err: err}
	}
	c.link.SlaveId = byte(req.Unit)
	c.link.request, c.link.timing = req, t
	data, err := c.call(req)
	switch {
	case err != nil:
		return nil, explain(req.Unit, err)
	case !req.Function.returnsData():
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
		panic("modbus: unchecked request")
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

// link is what goburrow's client needs below it: its own RTU packager, of which
// the port is never opened, and our transport.
type link struct {
	*goburrow.RTUClientHandler
	transport Transport
	request   Request
	timing    Timing
}

// Send implements goburrow's Transporter. Its client wants an echo of every
// write, so a broadcast, which has no reply, is given the one it expects.
func (l *link) Send(adu []byte) ([]byte, error) {
	reply, err := l.transport.Exchange(adu, l.timing)
	if err != nil || l.request.Unit != Broadcast {
		return reply, err
	}
	switch l.request.Function {
	case WriteMultipleCoils, WriteMultipleRegisters:
		return AppendCRC(adu[:6:6]), nil
	default:
		return adu, nil
	}
}

// Decode implements goburrow's Packager. goburrow compares a reply only with its
// own byte count and takes any other function code for an exception, so the
// exact shape is checked here.
func (l *link) Decode(adu []byte) (*goburrow.ProtocolDataUnit, error) {
	pdu, err := l.RTUClientHandler.Decode(adu)
	if err != nil {
		return nil, err
	}
	if err := checkReply(l.request, Function(pdu.FunctionCode), pdu.Data); err != nil {
		return nil, err
	}
	if Function(pdu.FunctionCode) == ReadFIFOQueue {
		// goburrow v0.1.0 wants the byte count to include one of its own two bytes.
		binary.BigEndian.PutUint16(pdu.Data, uint16(len(pdu.Data)-1))
	}
	return pdu, nil
}

// checkReply reports how the function code and data of a reply differ from the
// shape that req asks for.
func checkReply(req Request, function Function, data []byte) error {
	switch want := replySize(req, data); {
	case function == req.Function|exceptionBit && len(data) == 1:
		return nil
	case function != req.Function:
		return fmt.Errorf("reply of %d bytes to %v carries function code %d", len(data), req.Function, uint8(function))
	case len(data) != want:
		return fmt.Errorf("reply to %v of %d has %d bytes, want %d", req.Function, req.Count, len(data), want)
	}
	return nil
}

// replySize is the length of a good reply's data. Only that of a FIFO queue is
// in the reply itself, twice (section 6.18).
func replySize(req Request, data []byte) int {
	switch req.Function {
	case ReadCoils, ReadDiscreteInputs:
		return 1 + (int(req.Count)+7)/8
	case ReadHoldingRegisters, ReadInputRegisters, ReadWriteMultipleRegisters:
		return 1 + 2*int(req.Count)
	case MaskWriteRegister:
		return 6
	case ReadFIFOQueue:
		if len(data) < 4 {
			return 4
		}
		size, count := int(binary.BigEndian.Uint16(data)), int(binary.BigEndian.Uint16(data[2:]))
		if count > 31 || size != 2+2*count {
			return -1
		}
		return 2 + size
	default:
		return 4
	}
}
