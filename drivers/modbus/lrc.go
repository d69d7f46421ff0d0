package modbus

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
)

// MaxASCII is the longest ASCII frame: a colon, 255 bytes in two digits each, CR
// LF (Modbus over Serial Line V1.02, 2.5.2.1).
const MaxASCII = 513

var (
	errNoASCII = errors.New("not a frame from ':' to CR LF")
	errLRC     = errors.New("the checksum is wrong")
)

// EncodeASCII writes unit, function and data as an ASCII frame.
func EncodeASCII(body []byte) []byte {
	frame := make([]byte, 0, 2*len(body)+5)
	return fmt.Appendf(frame, ":%X%02X\r\n", body, lrc(body))
}

// DecodeASCII returns unit, function and data of an ASCII frame whose checksum is
// right; there are at least two bytes.
func DecodeASCII(frame []byte) ([]byte, error) {
	if len(frame) < minFrame(ASCII) || len(frame)%2 == 0 || frame[0] != ':' || !bytes.HasSuffix(frame, []byte("\r\n")) {
		return nil, errNoASCII
	}
	body, err := hex.DecodeString(string(frame[1 : len(frame)-2]))
	if err != nil {
		return nil, errNoASCII
	}
	end := len(body) - 1
	if lrc(body[:end]) != body[end] {
		return nil, errLRC
	}
	return body[:end], nil
}

// lrc is the checksum of ASCII frames: the sum of all bytes, negated (appendix
// 6.2.1).
func lrc(body []byte) byte {
	var sum byte
	for _, b := range body {
		sum += b
	}
	return -sum
}
