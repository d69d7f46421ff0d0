package broker

import (
	"encoding/binary"

	"sluice/broker/websocket"
)

// packetwise writes each MQTT packet as a WebSocket message of its own. A message
// may hold several, and parts of them [MQTT-6.0.0-2], but clients stumble: Paho for
// C loses the packets behind the first.
type packetwise struct {
	*websocket.Conn
	partial []byte // of a packet
}

func (w *packetwise) Write(b []byte) (int, error) {
	whole, rest := splitPackets(append(w.partial, b...))
	if err := w.WriteMessages(whole); err != nil {
		return 0, err
	}
	w.partial = append([]byte(nil), rest...) // nil if nothing is left
	return len(b), nil
}

func splitPackets(stream []byte) (whole [][]byte, rest []byte) {
	for n := packetLength(stream); n > 0 && n <= len(stream); n = packetLength(stream) {
		whole, stream = append(whole, stream[:n]), stream[n:]
	}
	return whole, stream
}

// packetLength returns how long the packet is that b begins with; 0 if b is too
// short to tell.
func packetLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	rest, n := binary.Uvarint(b[1:min(len(b), 5)])
	if n <= 0 {
		return 0
	}
	return 1 + n + int(rest)
}
