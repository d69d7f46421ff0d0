package payload

import (
	"math"
	"strconv"
	"unicode/utf8"

	"sluice/mapping/point"
)

func appendJSONValue(dst []byte, v point.Value) []byte {
	switch v.Kind() {
	case point.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case point.Text:
		return appendString(dst, v.Text())
	default:
		return appendNumber(dst, v)
	}
}

func appendNumber(dst []byte, v point.Value) []byte {
	switch v.Kind() {
	case point.Int:
		return strconv.AppendInt(dst, v.Int(), 10)
	case point.Uint:
		return strconv.AppendUint(dst, v.Uint(), 10)
	default:
		return appendFloat(dst, v.Float())
	}
}

// appendFloat appends the shortest decimal that stands for f. It always has a
// decimal point or an exponent: readers such as Ignition take 70 for an integer
// and then stumble over 70.25. f is finite, as every point.Value is.
func appendFloat(dst []byte, f float64) []byte {
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) { // as ECMAScript writes numbers
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if f == math.Trunc(f) {
		dst = append(dst, '.', '0')
	}
	return dst
}

// appendString appends s as a JSON string (RFC 8259, 7). Bytes that are not
// UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s { // an invalid byte is U+FFFD here
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xF])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
