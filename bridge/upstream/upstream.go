// Package upstream is one MQTT 3.1.1 connection to a broker upstream: dial it,
// publish with proof of delivery, learn that it ended, close it. A session
// never reconnects and remembers nothing: what it could not prove delivered is
// published again on the next one by whoever kept it. The bridge uses it; the
// package knows nothing of queues, rules or presence.
//
// paho.mqtt.golang encodes and decodes the packets and pairs a PUBACK with its
// PUBLISH, and is trusted with no more. Its reconnecting completes tokens
// without a PUBACK and sends stored messages out of order, so there is a fresh
// client for every connection, with a clean session where nothing has to be kept for it
// and a store that stores nothing. Its Publish hangs when the connection dies
// under it and its pings queue behind what cannot be written, so it never sees
// the socket, only a wire that takes every write at once. And it overlooks some
// ends of a connection, so the wire, not paho, says when the session is over.
//
// A Conn is for whoever must take each step by itself, such as the unpacker of
// envelopes: it has nothing of paho but the packets.
package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"sluice/broker/topic"
)

const (
	defaultKeepAlive = 60 * time.Second
	minKeepAlive     = time.Second
	pingCheck        = 5 * time.Second  // paho looks this often whether a ping is due
	handover         = 10 * time.Second // after which paho's inner goroutines count as stuck
	never            = 365 * 24 * time.Hour
)

// Config says which broker to reach, and as whom.
type Config struct {
	URL      string // mqtt://host:1883, mqtts://host:8883 with TLS; or by WebSocket ws://host:80/mqtt, wss://host:443/mqtt; ports and paths shown may be left out
	ClientID string
	Username string // empty: anonymous
	Password string

	// TLS holds roots and a client certificate for mqtts and wss; nil means the roots of
	// the system. The server name defaults to the host of URL, the oldest version
	// to 1.2.
	TLS *tls.Config

	Proxy *Proxy // nil: none

	// Receive is called with each message that comes down, one at a time; the PUBACK
	// leaves when it returns. It must not wait for this session. Subscribe are the
	// filters, with the QoS (0 or 1); if one has QoS 1, upstream keeps the session, and
	// its messages, while there is no connection.
	Receive   func(topic.Message)
	Subscribe map[string]byte

	// Connect opens the connection that TLS and MQTT run on; nil means TCP.
	Connect func(ctx context.Context, address string) (net.Conn, error)

	// UserTimeout is how long sent data may stay unacknowledged by the peer's kernel
	// before ours gives the connection up; 0 means 60 s.
	UserTimeout time.Duration

	// Spend is told the bytes that went over the link, IP and TCP counted, as the
	// kernel knows them, or else as can be guessed; nil: nobody wants to know. It may
	// be called from several goroutines.
	Spend func(bytes int64)

	// KeepAlive is the longest silence of this side [MQTT-3.1.2-24], in whole
	// seconds; less than 1 s means 60 s. An idle upstream that stays silent for half as long
	// again is given up.
	KeepAlive time.Duration
}

// silence is how long an upstream may send nothing. A healthy one answers the
// ping that follows each idle keepalive; half a keepalive more is what the
// protocol grants in the other direction.
func silence(keepAlive time.Duration) time.Duration {
	return keepAlive + keepAlive/2 + pingCheck
}

// handshake exchanges CONNECT and CONNACK on w and owns w from here on.
func handshake(ctx context.Context, w *wire, cfg Config, will *topic.Message) (*Session, error) {
	client := mqtt.NewClient(options(cfg, will, w))
	inTime := context.AfterFunc(ctx, func() { w.end(context.Cause(ctx)) })
	token := client.Connect().(*mqtt.ConnectToken)
	<-token.Done()
	timely := inTime()
	if token.Error() != nil {
		w.end(errClosed)
		<-w.flushed
		return nil, connectError(ctx, token.ReturnCode(), cfg.ClientID, w.cause())
	}
	s := newSession(client, w)
	go s.run()
	if timely {
		err := s.subscribe(ctx, cfg.Subscribe)
		if err == nil {
			return s, nil
		}
		s.wire.end(err)
		<-s.finished
		return nil, err
	}
	s.Close(ctx)
	return nil, context.Cause(ctx)
}

func connectError(ctx context.Context, code byte, clientID string, cause error) error {
	switch {
	case code != packets.Accepted && code != packets.ErrNetworkError:
		return refusal(code, clientID)
	case ctx.Err() != nil:
		return fmt.Errorf("no answer to CONNECT: %w", cause)
	default:
		return fmt.Errorf("CONNECT: %w", cause)
	}
}

func options(cfg Config, will *topic.Message, w *wire) *mqtt.ClientOptions {
	o := mqtt.NewClientOptions().
		AddBroker("tcp://upstream"). // paho needs one; the wire is connected already
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return w, nil }).
		SetProtocolVersion(4). // or every refused CONNECT is sent twice
		SetClientID(cfg.ClientID).
		SetUsername(cfg.Username).
		SetPassword(cfg.Password).
		SetKeepAlive(cfg.KeepAlive).
		SetPingTimeout(never). // the wire watches for silence
		SetWriteTimeout(handover).
		SetCleanSession(!keeps(cfg.Subscribe)).
		SetStore(noStore{}).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetOrderMatters(true). // of what comes down
		SetDefaultPublishHandler(receiver(cfg.Receive))
	if will != nil {
		o.SetBinaryWill(will.Topic, will.Payload, will.QoS, will.Retain)
	}
	return o
}

// keeps reports whether upstream has to keep anything for the filters.
func keeps(filters map[string]byte) bool {
	for _, qos := range filters {
		if qos > 0 {
			return true
		}
	}
	return false
}

// noStore keeps paho from remembering: the queue does that.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
