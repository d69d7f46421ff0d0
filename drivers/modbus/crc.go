package modbus

import "encoding/binary"

// crcTable is the byte-wise table of the reflected polynomial 0xA001.
var crcTable = func() (t [256]uint16) {
	for i := range t {
		crc := uint16(i)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xA001
			} else {
				crc >>= 1
			}
		}
		t[i] = crc
	}
	return t
}()

// CRC is the checksum of RTU frames (Modbus over Serial Line V1.02, appendix B).
func CRC(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, x := range b {
		crc = crc>>8 ^ crcTable[byte(crc)^x]
	}
	return crc
}

// AppendCRC appends the checksum of b in wire order, low byte first.
func AppendCRC(b []byte) []byte { return binary.LittleEndian.AppendUint16(b, CRC(b)) }

// ValidCRC reports whether b is at least an RTU frame's four bytes and ends in
// the checksum of the rest.
func ValidCRC(b []byte) bool {
	return len(b) >= 4 && CRC(b[:len(b)-2]) == binary.LittleEndian.Uint16(b[len(b)-2:])
}
