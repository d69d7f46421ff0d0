package modbus

import (
	"fmt"

	goburrow "github.com/goburrow/modbus"
)

// maxADU is the longest RTU frame (Modbus over Serial Line V1.02, 2.5.1).
const maxADU = 256

// rtuPackager is goburrow's without its allocations: frame and PDU are used again
// for the next exchange.
type rtuPackager struct {
	unit byte
	adu  [maxADU]byte              // of the request
	pdu  goburrow.ProtocolDataUnit // of the reply; goburrow's client is done with it before the next
}

// Encode implements goburrow's Packager. The request has been checked, and fits.
func (p *rtuPackager) Encode(pdu *goburrow.ProtocolDataUnit) ([]byte, error) {
	adu := append(p.adu[:0], p.unit, pdu.FunctionCode)
	return AppendCRC(append(adu, pdu.Data...)), nil
}

// Verify implements goburrow's Packager.
func (p *rtuPackager) Verify(request, reply []byte) error {
	switch {
	case !ValidCRC(reply):
		return fmt.Errorf("reply of %d bytes with a wrong checksum", len(reply))
	case reply[0] != request[0]:
		return fmt.Errorf("reply of unit %d to a request to unit %d", reply[0], request[0])
	default:
		return nil
	}
}

// Decode implements goburrow's Packager, for a reply that has been verified.
func (p *rtuPackager) Decode(adu []byte) (*goburrow.ProtocolDataUnit, error) {
	p.pdu = goburrow.ProtocolDataUnit{FunctionCode: adu[1], Data: adu[2 : len(adu)-2]}
	return &p.pdu, nil
}
