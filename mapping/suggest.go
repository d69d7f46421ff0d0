package mapping

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// foreignKeys are the words that other gateways and manuals use for ours, keys
// first, then types and tables; of several, the first that is known where the word
// stands.
var foreignKeys = map[string]string{
	"slave": "unit", "slave_id": "unit", "slaveid": "unit", "unitid": "unit", "unit_id": "unit", "node": "unit", "node_id": "unit",
	"device_address": "unit", "slave_address": "unit", "station": "unit", "modbus_id": "unit", "modbus_address": "unit",
	"serial": "port", "device_path": "port", "path": "port", "device": "port bus", "baudrate": "baud", "baud_rate": "baud", "speed": "baud",
	"parity": "format", "data_bits": "format", "databits": "format", "stop_bits": "format", "stopbits": "format", "bytesize": "format",
	"transport": "framing", "protocol": "framing", "mode": "framing", "silence": "gap", "delay": "gap rest", "min_gap": "gap rest",
	"address": "register unit tcp url", "function_code": "register", "functioncode": "register", "input_type": "register",
	"register_type": "register", "reg_type": "register", "table": "register", "name": "id", "key": "id",
	"data_type": "type", "datatype": "type", "count": "length", "quantity": "length", "words": "length",
	"period": "interval", "scan_interval": "interval", "poll_interval": "interval", "scan_rate": "interval",
	"timeout_ms": "timeout", "response_timeout": "timeout", "factor": "scale", "multiplier": "scale", "divisor": "scale", "divider": "scale",
	"precision": "round", "decimals": "round", "unit_of_measurement": "unit", "mask": "bits", "bit": "bits", "values": "enum", "options": "enum",
	"swap": "order", "word_order": "order", "byte_order": "order", "byteorder": "order", "wordorder": "order", "endianness": "order",
	"host": "url tcp", "server": "url", "broker": "url", "ip": "tcp", "user": "username", "topics": "send match", "topic": "match send",
	"registers": "points", "tags": "points", "slaves": "devices", "meters": "devices", "networks": "buses", "ports": "buses", "lines": "buses",
	"cafile": "ca tls", "certfile": "cert tls", "keyfile": "key tls", "clientid": "client_id", "keep_alive": "keepalive", "uplinks": "bridges",

	"word": "uint16", "dword": "uint32", "lword": "uint64", "short": "int16", "long": "int32", "signed": "int16", "unsigned": "uint16",
	"int": "int16", "uint": "uint16", "u16": "uint16", "u32": "uint32", "u64": "uint64", "s16": "int16", "s32": "int32", "s64": "int64",
	"i16": "int16", "i32": "int32", "i64": "int64", "16int": "int16", "16uint": "uint16", "32int": "int32", "32uint": "uint32",
	"float": "float32", "real": "float32", "single": "float32", "32float": "float32", "double": "float64", "lreal": "float64",
	"boolean": "bool", "text": "string", "ascii": "string",

	"hr": "holding", "holding_register": "holding", "holding_registers": "holding", "ir": "input", "input_register": "input",
	"input_registers": "input", "di": "discrete", "discrete_input": "discrete", "discrete_inputs": "discrete", "contact": "discrete",
}

func contains(keys []string, key string) bool { return slices.Contains(keys, key) }

// unknownFix says which known key to write instead of an unknown one; meant is
// the likely one, or empty. The unknown key stands in the mapping y.
func unknownFix(meant, key string, y *yaml.Node, known []string) string {
	if meant == "order" && (key == "word_order" || key == "byte_order") {
		return "write order: " + lettersFor(y)
	}
	if meant != "" {
		return strings.TrimSpace("did you mean \"" + meant + "\"? " + advice(meant, key))
	}
	return "the keys here are " + list(known)
}

// advice says how a key of ours holds what others keep under the unknown key.
func advice(meant, key string) string {
	ours := foreignKeys[strings.ReplaceAll(strings.ToLower(key), "-", "_")]
	switch {
	case ours == "":
	case ours == "format":
		return "It holds data bits, parity and stop bits, e.g. 8E1"
	case meant == "tls":
		return "It holds ca, cert and key"
	case meant == "register":
		return "It holds the table and the number, e.g. holding 40101"
	case meant == "timeout" || meant == "interval" || meant == "gap":
		return "It is written with its unit, e.g. 500ms or 5s"
	case meant == "scale" && strings.HasPrefix(strings.ToLower(key), "divi"):
		return "Values are multiplied by it: 0.1 divides by 10"
	case meant == "order":
		return "It is ABCD, CDAB, BADC or DCBA"
	}
	return ""
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
	for _, ours := range strings.Fields(foreignKeys[strings.ReplaceAll(low, "-", "_")]) {
		if contains(known, ours) {
			return ours
		}
	}
	for _, k := range known {
		if strings.HasPrefix(low, strings.ToLower(k)+"_") || strings.HasPrefix(low, strings.ToLower(k)+"-") {
			return k
		}
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
