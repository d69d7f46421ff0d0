package mapping

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// foreignKeys are the words that other gateways and manuals use for ours.
var foreignKeys = map[string]string{
	"slave": "unit", "slave_id": "unit", "slaveid": "unit", "unitid": "unit", "unit_id": "unit", "node": "unit",
	"serial": "port", "device_path": "port", "baudrate": "baud", "baud_rate": "baud", "speed": "baud", "parity": "format",
	"name": "id", "key": "id", "address": "register", "data_type": "type", "datatype": "type",
	"period": "interval", "scan_interval": "interval", "poll_interval": "interval",
	"bit": "bits", "factor": "scale", "multiplier": "scale",
	"swap": "order", "word_order": "order", "byte_order": "order", "byteorder": "order", "wordorder": "order", "endianness": "order",
	"host": "url", "server": "url", "broker": "url", "user": "username", "topics": "send", "registers": "points", "tags": "points",
	"float": "float32", "real": "float32", "double": "float64", "short": "int16", "word": "uint16", "dword": "uint32", "lword": "uint64",
}

func contains(keys []string, key string) bool { return slices.Contains(keys, key) }

// unknownFix says which known key to write instead of an unknown one; meant is
// the likely one, or empty. The unknown key stands in the mapping y.
func unknownFix(meant, key string, y *yaml.Node, known []string) string {
	if meant == "order" && (key == "word_order" || key == "byte_order") {
		return "write order: " + lettersFor(y)
	}
	if meant != "" {
		return "did you mean \"" + meant + "\"?"
	}
	return "the keys here are " + list(known)
}

// lettersFor is the order that a mapping describes in words, as manuals and other
// gateways do: which register and which byte comes first.
func lettersFor(y *yaml.Node) string {
	words, bytes := false, false
	for i := 0; i+1 < len(y.Content); i += 2 {
		little := strings.HasPrefix(y.Content[i+1].Value, "little")
		words = words || y.Content[i].Value == "word_order" && little
		bytes = bytes || y.Content[i].Value == "byte_order" && little
	}
	switch {
	case words && bytes:
		return "DCBA"
	case words:
		return "CDAB"
	case bytes:
		return "BADC"
	default:
		return "ABCD"
	}
}

// nearest returns the known word that a person most likely meant by word, or
// nothing if none is close.
func nearest(word string, known []string) string {
	low := strings.ToLower(word)
	if ours := foreignKeys[strings.ReplaceAll(low, "-", "_")]; contains(known, ours) {
		return ours
	}
	best, bestDistance := "", 1+len(low)/3
	for _, k := range known {
		if d := distance(low, strings.ToLower(k)); d <= bestDistance && (best == "" || d < bestDistance) {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the number of letters to add, drop, change or swap with their
// neighbour to turn a into b.
func distance(a, b string) int {
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := prev[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, prev[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}

// list joins words for a person: "a, b, c".
func list(words []string) string { return strings.Join(words, ", ") }
