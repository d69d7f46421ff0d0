package payload

import (
	"strconv"
	"time"

	"sluice/mapping/point"
)

// Reserved are the keys that AppendObject and Influx lines use for themselves,
// so that no point of a device written that way may have them for its id.
func Reserved() []string { return []string{"ts", "quality", "reason"} }

// AppendObject appends readings of one device as one flat object:
//
//	{"ts":1795211000123,"quality":"good","voltage":230.5,"relay":true}
//	{"ts":1795211000123,"quality":"bad","reason":"timeout","voltage":null,"relay":true}
//
// Values are written as in AppendJSON, null where the quality is bad. Quality is
// the worst of all and reason the first that goes with it; ts is the latest time.
func AppendObject(dst []byte, readings []point.Reading) []byte {
	quality, reason, at := summary(readings)
	dst = append(dst, `{"ts":`...)
	dst = strconv.AppendInt(dst, at.UnixMilli(), 10)
	dst = append(dst, `,"quality":`...)
	dst = appendString(dst, quality.String())
	if quality != point.Good && reason != "" {
		dst = append(dst, `,"reason":`...)
		dst = appendString(dst, reason)
	}
	for _, r := range readings {
		dst = append(dst, ',')
		dst = appendString(dst, r.Point)
		dst = append(dst, ':')
		if qualityOf(r) == point.Bad {
			dst = append(dst, "null"...)
		} else {
			dst = appendJSONValue(dst, r.Value)
		}
	}
	return append(dst, '}')
}

// summary is what holds for readings together: the worst quality, the first
// reason for it, the latest time.
func summary(readings []point.Reading) (worst point.Quality, reason string, latest time.Time) {
	for _, r := range readings {
		switch q := qualityOf(r); {
		case q > worst:
			worst, reason = q, r.Reason
		case q == worst && reason == "":
			reason = r.Reason
		}
		if r.Time.After(latest) {
			latest = r.Time
		}
	}
	return worst, reason, latest
}
