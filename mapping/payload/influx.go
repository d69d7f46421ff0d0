package payload

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"sluice/mapping/point"
)

// measurement is what InfluxDB calls a table.
const measurement = "modbus"

// lineHead is the measurement and the tags of a line, sorted as InfluxDB likes
// them best.
func lineHead(s Source) []byte {
	tags := map[string]string{}
	maps.Copy(tags, s.Labels)
	maps.Copy(tags, map[string]string{"site": s.Site, "gateway": s.Gateway, "device": s.Device, "point": s.Point})
	head := []byte(measurement)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if value := escapeTag(tags[key]); value != "" { // an empty one is a syntax error
			head = append(head, ","+escapeTag(key)+"="+value...)
		}
	}
	return head
}

// escapeTag writes a tag's key or value. No escape is known for a line break, nor
// for a backslash at the end.
func escapeTag(s string) string {
	s = strings.TrimRight(strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " "), `\`)
	return strings.NewReplacer(",", `\,`, "=", `\=`, " ", `\ `).Replace(s)
}

// appendLine appends readings of one device as a line of InfluxDB's line
// protocol, in nanoseconds:
//
//	modbus,device=main-meter,gateway=gw-1,site=plant voltage=230.5,relay=true,quality="good" 1795211000123000000
//
// Each point is a field of its own, so that its type is always the same: integers
// end in i, or in u beyond the signed ones. A bad value is left out.
func appendLine(dst, head []byte, readings []point.Reading) []byte {
	quality, reason, at := summary(readings)
	dst = append(append(dst, head...), ' ')
	for _, r := range readings {
		if qualityOf(r) == point.Bad {
			continue
		}
		dst = append(append(dst, r.Point...), '=')
		dst = append(appendField(dst, r.Value), ',')
	}
	dst = append(dst, "quality="...)
	dst = appendQuoted(dst, quality.String())
	if quality != point.Good && reason != "" {
		dst = append(dst, ",reason="...)
		dst = appendQuoted(dst, reason)
	}
	dst = append(dst, ' ')
	return strconv.AppendInt(dst, at.UnixNano(), 10)
}

func appendField(dst []byte, v point.Value) []byte {
	switch v.Kind() {
	case point.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case point.Text:
		return appendQuoted(dst, v.Text())
	case point.Int:
		return append(appendNumber(dst, v), 'i')
	case point.Uint:
		dst = appendNumber(dst, v)
		if v.Uint() > math.MaxInt64 {
			return append(dst, 'u')
		}
		return append(dst, 'i')
	default:
		return appendNumber(dst, v)
	}
}

// appendQuoted appends s as a string field. Line breaks would end the line for
// some readers, and control characters are nothing to any.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s { // an invalid byte is U+FFFD here
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, ' ')
		default:
			dst = append(dst, string(r)...)
		}
	}
	return append(dst, '"')
}
