package modbus

import (
	"fmt"

	goburrow "github.com/goburrow/modbus"
)

// maxADU is the longest RTU frame (Modbus over Serial Line V1.02, 2.5.1).
const maxADU = 256

// rtuPackager is goburrow's packager for RTU with memory of its own: goburrow's
// Encode and Decode allocate a frame and a PDU for every exchange. Verify is
// goburrow's.
type rtuPackager struct {
	*goburrow.RTUClientHandler // as packager only; its own port is never opened

	adu [maxADU]byte              // of the request
	pdu goburrow.ProtocolDataUnit // of the reply; goburrow's client is done with it before the next
}

func newRTUPackager() *rtuPackager {
	return &rtuPackager{RTUClientHandler: goburrow.NewRTUClientHandler("")}
}

// Encode implements goburrow's Packager. The request has been checked, and fits.
func (p *rtuPackager) Encode(pdu *goburrow.ProtocolDataUnit) ([]byte, error) {
	adu := append(p.adu[:0], p.SlaveId, pdu.FunctionCode)
	return AppendCRC(append(adu, pdu.Data...)), nil
}

// Decode implements goburrow's Packager, for a reply that has been verified.
func (p *rtuPackager) Decode(adu []byte) (*goburrow.ProtocolDataUnit, error) {
	if !ValidCRC(adu) {
		return nil, fmt.Errorf("reply of %d bytes with a wrong checksum", len(adu))
	}
	p.pdu = goburrow.ProtocolDataUnit{FunctionCode: adu[1], Data: adu[2 : len(adu)-2]}
	return &p.pdu, nil
}
