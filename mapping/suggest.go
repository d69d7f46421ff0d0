package mapping

import (
	"slices"
	"strings"
)

// foreignKeys are the words that other gateways and manuals use for ours.
var foreignKeys = map[string]string{
	"slave": "unit", "slave_id": "unit", "slaveid": "unit", "unitid": "unit", "unit_id": "unit", "node": "unit",
	"serial": "port", "device_path": "port", "baudrate": "baud", "baud_rate": "baud", "speed": "baud", "parity": "format",
	"name": "id", "key": "id", "address": "register", "data_type": "type", "datatype": "type",
	"period": "interval", "scan_interval": "interval", "poll_interval": "interval", "factor": "scale", "multiplier": "scale",
	"swap": "word_order", "byteorder": "byte_order", "wordorder": "word_order", "endianness": "word_order",
	"host": "url", "server": "url", "broker": "url", "user": "username", "topics": "send", "registers": "points", "tags": "points",
}

func contains(keys []string, key string) bool { return slices.Contains(keys, key) }

// unknownFix says which known key to write instead of an unknown one; meant is
// the likely one, or empty.
func unknownFix(meant string, known []string) string {
	if meant != "" {
		return "did you mean \"" + meant + "\"?"
	}
	return "the keys here are " + list(known)
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
