package modbus

import (
	"encoding/binary"
	"fmt"

	goburrow "github.com/goburrow/modbus"
)

// link is what goburrow's client needs below it: a packager of the framing and our
// transport.
type link struct {
	goburrow.Packager
	unit      *byte // of the packager
	transport Transport

	timing    Timing
	broadcast bool
	sent      *goburrow.ProtocolDataUnit
	shape     Shape // of the reply to sent
}

// newLink takes goburrow's handlers for the packager inside; their own ports are
// never opened.
func newLink(t Transport) *link {
	switch t.Framing() {
	case ASCII:
		h := goburrow.NewASCIIClientHandler("")
		return &link{Packager: h, unit: &h.SlaveId, transport: t}
	case TCP:
		h := goburrow.NewTCPClientHandler("")
		return &link{Packager: h, unit: &h.SlaveId, transport: t}
	default:
		p := newRTUPackager()
		return &link{Packager: p, unit: &p.SlaveId, transport: t}
	}
}

// call performs an exchange that goburrow's client has no method for.
func (l *link) call(req Request) ([]byte, error) {
	adu, err := l.Encode(&goburrow.ProtocolDataUnit{FunctionCode: byte(req.Function), Data: req.pduData()})
	if err != nil {
		return nil, err
	}
	reply, err := l.Send(adu)
	if err != nil {
		return nil, err
	}
	if err := l.Verify(adu, reply); err != nil {
		return nil, err
	}
	pdu, err := l.Decode(reply)
	if err != nil {
		return nil, err
	}
	if Function(pdu.FunctionCode) != req.Function {
		return nil, &goburrow.ModbusError{FunctionCode: pdu.FunctionCode, ExceptionCode: pdu.Data[0]}
	}
	switch req.Function {
	case Diagnostics:
		return pdu.Data[2:], nil
	case ReportServerID, ReadFileRecord:
		return pdu.Data[1:], nil
	default:
		return pdu.Data, nil
	}
}

// Encode implements goburrow's Packager. From the request it knows what the reply
// has to look like.
func (l *link) Encode(pdu *goburrow.ProtocolDataUnit) (adu []byte, err error) {
	if l.shape, err = ShapeOf(Function(pdu.FunctionCode), pdu.Data); err != nil {
		return nil, err
	}
	l.sent = pdu
	return l.Packager.Encode(pdu)
}

// Send implements goburrow's Transporter. Its client wants an echo of every
// write, so a broadcast, which has no reply, is given the one it expects.
func (l *link) Send(adu []byte) ([]byte, error) {
	reply, err := l.transport.Exchange(adu, l.timing)
	if err != nil || !l.broadcast {
		return reply, err
	}
	echo := *l.sent
	switch Function(echo.FunctionCode) {
	case WriteMultipleCoils, WriteMultipleRegisters:
		echo.Data = echo.Data[:4]
	}
	return l.Packager.Encode(&echo)
}

// Verify implements goburrow's Packager, which trusts the length of a reply.
func (l *link) Verify(request, reply []byte) error {
	if len(reply) < minFrame(l.transport.Framing()) {
		return fmt.Errorf("a reply of %d bytes is no frame", len(reply))
	}
	return l.Packager.Verify(request, reply)
}

// minFrame is the length of a frame without data.
func minFrame(f Framing) int {
	switch f {
	case ASCII:
		return 9 // colon, three bytes in digits, CR LF
	case TCP:
		return 8 // header, function
	default:
		return 4 // unit, function, checksum
	}
}

// Decode implements goburrow's Packager. goburrow compares a reply only with its
// own byte count and takes any other function code for an exception, so the
// exact shape is checked here.
func (l *link) Decode(adu []byte) (*goburrow.ProtocolDataUnit, error) {
	pdu, err := l.Packager.Decode(adu)
	if err != nil {
		return nil, err
	}
	function := Function(pdu.FunctionCode)
	switch size, ok := l.shape.Match(function, pdu.Data); {
	case !ok || size != len(pdu.Data):
		return nil, fmt.Errorf("reply with function code %d and %d bytes does not go with %v",
			pdu.FunctionCode, len(pdu.Data), Function(l.sent.FunctionCode))
	case function == ReadFIFOQueue:
		// goburrow v0.1.0 wants the byte count to include one of its own two bytes.
		binary.BigEndian.PutUint16(pdu.Data, uint16(len(pdu.Data)-1))
	}
	return pdu, nil
}
