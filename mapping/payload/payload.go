// Package payload is how a reading is written in a message: as a JSON object, or
// as the bare value. Both are made for readers that cannot be programmed: a
// number never changes its type from one message to the next, and what JSON
// cannot say is never said. The package is pure; it knows nothing of topics.
package payload

import (
	"strconv"

	"sluice/mapping/point"
)

// AppendJSON appends r as an object:
//
//	{"value":230.5,"unit":"V","quality":"good","ts":1795211000123}
//	{"value":null,"quality":"bad","reason":"timeout","ts":1795211000123}
//
// The value is a number, true or false, a string, or null when the quality is
// bad; a reading without a value is bad. Floats have a decimal point or an
// exponent, integers neither and every digit. Unit is there when the point has
// one, reason when the quality is not good and somebody gave one. ts counts
// milliseconds since 1970.
func AppendJSON(dst []byte, r point.Reading) []byte {
	quality := qualityOf(r)
	dst = append(dst, `{"value":`...)
	if quality == point.Bad {
		dst = append(dst, "null"...)
	} else {
		dst = appendJSONValue(dst, r.Value)
	}
	if r.Unit != "" {
		dst = append(dst, `,"unit":`...)
		dst = appendString(dst, r.Unit)
	}
	dst = append(dst, `,"quality":`...)
	dst = appendString(dst, quality.String())
	if quality != point.Good && r.Reason != "" {
		dst = append(dst, `,"reason":`...)
		dst = appendString(dst, r.Reason)
	}
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, r.Time.UnixMilli(), 10)
	return append(dst, '}')
}

// AppendValue appends the value of r alone: a number as in AppendJSON, a truth
// value as 1 or 0, for readers that know only numbers, a text as it is. There is
// no way to write a bad reading in this form: it returns false, and dst as it was.
func AppendValue(dst []byte, r point.Reading) ([]byte, bool) {
	switch v := r.Value; {
	case qualityOf(r) == point.Bad:
		return dst, false
	case v.Kind() == point.Text:
		return append(dst, v.Text()...), true
	case v.Kind() == point.Bool && v.Bool():
		return append(dst, '1'), true
	case v.Kind() == point.Bool:
		return append(dst, '0'), true
	default:
		return appendNumber(dst, v), true
	}
}

// qualityOf is what may be said of r: a reading without a value is bad.
func qualityOf(r point.Reading) point.Quality {
	if r.Value.Kind() == point.None {
		return point.Bad
	}
	return r.Quality
}
