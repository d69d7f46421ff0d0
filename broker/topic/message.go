package topic

// Message is one MQTT application message on its way through the gateway. The
// payload belongs to whoever receives the message and must not be changed.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte // 0, 1 or 2
	Retain  bool
	Origin  string // the bridge that it came down through; empty: it is of this site
}
