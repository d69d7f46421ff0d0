// Package upstream is one MQTT 3.1.1 connection to a broker upstream: dial it,
// publish with proof of delivery, learn that it ended, close it. A session
// never reconnects and remembers nothing: what it could not prove delivered is
// published again on the next one by whoever kept it. The bridge uses it; the
// package knows nothing of queues, rules or presence.
//
// paho.mqtt.golang encodes and decodes the packets and pairs a PUBACK with its
// PUBLISH, and is trusted with no more. Its reconnecting completes tokens
// without a PUBACK and sends stored messages out of order, so there is a fresh
// client for every connection, with a clean session and a store that stores
// nothing. Its Publish hangs when the connection dies under it and its pings
// queue behind what cannot be written, so it never sees the socket, only a wire
// that takes every write at once. And it overlooks some ends of a connection,
// so the wire, not paho, says when the session is over.
package upstream

import (
	"context"
	"crypto/tls"
	"errors"
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
	pingCheck        = 5 * time.Second  // paho looks this often whether a ping is due
	handover         = 10 * time.Second // after which paho's inner goroutines count as stuck
	never            = 365 * 24 * time.Hour
)

// Config says which broker to reach, and as whom.
type Config struct {
	URL      string // mqtt://host:1883, or mqtts://host:8883 for TLS; the ports shown may be left out
	ClientID string
	Username string // empty: anonymous
	Password string

	// TLS holds roots and a client certificate for mqtts; nil means the roots of
	// the system. The server name defaults to the host of URL, the oldest version
	// to 1.2.
	TLS *tls.Config

	// KeepAlive is the longest silence of this side [MQTT-3.1.2-24], in whole
	// seconds; 0 means 60 s. An idle upstream that stays silent for half as long
	// again is given up.
	KeepAlive time.Duration

	// Will is what the broker publishes when the connection ends without
	// DISCONNECT, with its QoS and retain flag; nil: nothing.
	Will *topic.Message
}

// Dial connects to the broker and returns once it accepted the connection. ctx
// bounds everything up to then and has no hold on the session afterwards. A
// refusal by the broker is an error that says what to change.
func Dial(ctx context.Context, cfg Config) (*Session, error) {
	u, err := endpoint(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.KeepAlive < time.Second {
		cfg.KeepAlive = defaultKeepAlive
	}
	raw, err := connect(ctx, u.Host)
	if err != nil {
		return nil, err
	}
	conn := raw
	if u.Scheme == "mqtts" {
		secure := tls.Client(raw, tlsConfig(cfg.TLS, u.Hostname()))
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, fmt.Errorf("TLS with %s: %w", u.Host, err)
		}
		conn = secure
	}
	return handshake(ctx, newWire(raw, conn, silence(cfg.KeepAlive)), cfg)
}

// endpoint parses an address and fills in the port. Errors leave the address
// out: someone may have put a password into it.
func endpoint(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	ports := map[string]string{"mqtt": "1883", "mqtts": "8883"}
	if err != nil || ports[u.Scheme] == "" || u.Hostname() == "" || u.User != nil {
		return nil, errors.New("upstream address is not of the form mqtt://host:1883 or mqtts://host:8883")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), ports[u.Scheme])
	}
	return u, nil
}

func tlsConfig(base *tls.Config, host string) *tls.Config {
	cfg := &tls.Config{}
	if base != nil {
		cfg = base.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	return cfg
}

// silence is how long an upstream may send nothing. A healthy one answers the
// ping that follows each idle keepalive; half a keepalive more is what the
// protocol grants in the other direction.
func silence(keepAlive time.Duration) time.Duration {
	return keepAlive + keepAlive/2 + pingCheck
}

// handshake exchanges CONNECT and CONNACK on w and owns w from here on.
func handshake(ctx context.Context, w *wire, cfg Config) (*Session, error) {
	client := mqtt.NewClient(options(cfg, w))
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
	if !timely {
		s.Close(ctx)
		return nil, context.Cause(ctx)
	}
	return s, nil
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

func options(cfg Config, w *wire) *mqtt.ClientOptions {
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
		SetCleanSession(true).
		SetStore(noStore{}).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetOrderMatters(false)
	if cfg.Will != nil {
		o.SetBinaryWill(cfg.Will.Topic, cfg.Will.Payload, cfg.Will.QoS, cfg.Will.Retain)
	}
	return o
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
