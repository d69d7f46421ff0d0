package envelope

import "encoding/binary"

// WithHead puts what comes before the checksummed part in front of it, so that
// tests get past the checksum.
func WithHead(behind []byte) []byte {
	b := append([]byte(magic), version)
	b = binary.LittleEndian.AppendUint32(b, checksum(behind))
	return append(b, behind...)
}
