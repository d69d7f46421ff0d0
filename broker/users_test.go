package broker_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	"sluice/broker/auth"
	"sluice/broker/certs"
	"sluice/broker/topic"
)

func login(name, password string) option {
	return func(pk *packets.Packet) {
		pk.Connect.UsernameFlag, pk.Connect.Username = true, []byte(name)
		pk.Connect.PasswordFlag, pk.Connect.Password = true, []byte(password)
	}
}

// people are anna, who may publish notes, and berta, who may only read.
func people(t *testing.T, log *slog.Logger) *auth.Users {
	t.Helper()
	users, err := auth.New(auth.Config{Users: everybody(t)}, log)
	if err != nil {
		t.Fatal(err)
	}
	return users
}

func everybody(t *testing.T) []auth.User {
	t.Helper()
	file := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(file, []byte("geheim\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []auth.User{
		{Name: "anna", PasswordFile: file, Rights: auth.Rights{Read: []string{"site/#"}, Write: []string{"notes/%u/%c"}}},
		{Name: "berta", PasswordFile: file, Rights: auth.Rights{Read: []string{"#"}}},
	}
}

func guarded(t *testing.T, l broker.Listener) broker.Config {
	t.Helper()
	l.Address = "127.0.0.1:0"
	return broker.Config{Listen: []broker.Listener{l}, Users: people(t, slog.New(slog.DiscardHandler))}
}

func TestLogin(t *testing.T) {
	b := start(t, guarded(t, broker.Listener{}))
	for _, tt := range []struct {
		what   string
		who    option
		v4, v5 byte
	}{
		{"right", login("anna", "geheim"), 0, 0},
		{"wrong", login("anna", "x"), 4, 0x86},
		{"unknown", login("carl", "geheim"), 4, 0x86},
		{"nobody", func(*packets.Packet) {}, 5, 0x87},
	} {
		for v, want := range map[byte]byte{4: tt.v4, 5: tt.v5} {
			if _, ack := tryConnect(t, b, version(v), tt.who); ack.ReasonCode != want {
				t.Errorf("%s, version %d: CONNACK 0x%02x, want 0x%02x", tt.what, v, ack.ReasonCode, want)
			}
		}
	}
	turned := b.Stats().Turned
	if turned[broker.RefusedLogin] != 6 {
		t.Errorf("%v", turned)
	}
}

// TestRights: what a user may not read or write is refused as the version of MQTT
// allows, and nobody else's session can be taken.
func TestRights(t *testing.T) {
	b := start(t, guarded(t, broker.Listener{}))
	anna, berta := login("anna", "geheim"), login("berta", "geheim")
	reader := connect(t, b, version(5), berta)
	reader.subscribe(1, 0, "#")

	c5 := connect(t, b, version(5), anna, session("c5", true))
	c5.send(publish("notes/anna/other", "x", 1, 1), publish("site/a", "x", 1, 2), publish("notes/anna/c5", "yes", 1, 3))
	c5.wantAnswer(packets.Puback, 1, 0x87)
	c5.wantAnswer(packets.Puback, 2, 0x87)
	c5.wantAnswer(packets.Puback, 3, 0)
	c4 := connect(t, b, anna, session("c4", true))
	c4.send(publish("site/a", "x", 0, 0))
	c4.wantPong()
	c4.send(publish("site/a", "x", 1, 1))
	c4.wantClosed()
	if pk := reader.want(packets.Publish); pk.TopicName != "notes/anna/c5" {
		t.Errorf("got %s", pk.TopicName)
	}

	for v, want := range map[byte]byte{4: 0x80, 5: 0x87} {
		c := connect(t, b, version(v), anna)
		for filter, code := range map[string]byte{"#": want, "$share/g/#": want, "site/#": 0, "$share/g/site/a": 0} {
			c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 7,
				Filters: packets.Subscriptions{{Filter: filter}}})
			if ack := c.want(packets.Suback); ack.ReasonCodes[0] != code {
				t.Errorf("version %d: %s: 0x%02x, want 0x%02x", v, filter, ack.ReasonCodes[0], code)
			}
		}
	}

	for v, want := range map[byte]byte{4: 5, 5: 0x87} {
		if _, ack := tryConnect(t, b, version(v), anna, will(topic.Message{Topic: "site/a", Payload: []byte("x")})); ack.ReasonCode != want {
			t.Errorf("version %d: a will that may not be published: 0x%02x", v, ack.ReasonCode)
		}
	}
	connect(t, b, anna, session("hers", false))
	for v, want := range map[byte]byte{4: 2, 5: 0x85} {
		if _, ack := tryConnect(t, b, version(v), berta, session("hers", true)); ack.ReasonCode != want {
			t.Errorf("version %d: the session of another: 0x%02x", v, ack.ReasonCode)
		}
	}
}

// TestCertificateIsUser: over TLS the certificate names the user, whatever CONNECT
// says, and a certificate of nobody known is refused.
func TestCertificateIsUser(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	server, err := certs.NewServer(certs.Config{Dir: dir, ClientAuth: tls.VerifyClientCertIfGiven}, log)
	if err != nil {
		t.Fatal(err)
	}
	own, err := certs.Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(own.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	b := start(t, guarded(t, broker.Listener{TLS: server.TLS()}))
	for name, want := range map[string]byte{"anna": 0, "carl": 0x87, "": 0x86} {
		cfg := &tls.Config{RootCAs: pool, ServerName: "localhost"}
		if name != "" {
			cert, key, err := own.Client(name)
			if err != nil {
				t.Fatal(err)
			}
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Certificates = []tls.Certificate{pair}
		}
		nc, err := tls.Dial("tcp", b.Addrs()[0].String(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		c, ack := converse(t, nc, version(5), login("berta", "wrong"), session("c", true))
		if ack.ReasonCode != want {
			t.Errorf("%q: CONNACK 0x%02x, want 0x%02x", name, ack.ReasonCode, want)
		}
		if want == 0 {
			c.send(publish("notes/anna/c", "x", 1, 1))
			c.wantAnswer(packets.Puback, 1, 0)
		}
	}
	plain := dial(t, b)
	if _, err := plain.Write([]byte("no TLS at all")); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return b.Stats().Turned[broker.RefusedHandshake] == 1 })
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	l := broker.Local(path)
	l.Mode = 0o600
	b := start(t, broker.Config{Listen: []broker.Listener{l}})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ack := converse(t, nc); ack.ReasonCode != 0 {
		t.Errorf("CONNACK 0x%02x", ack.ReasonCode)
	}
	if n := b.Stats().Clients; n != 1 {
		t.Errorf("%d clients", n)
	}
}

// TestTurnedAway: who is refused before CONNECT is known costs nothing and is
// counted by reason.
func TestTurnedAway(t *testing.T) {
	for what, tt := range map[string]struct {
		sent   string
		reason broker.Refusal
	}{
		"huge CONNECT":   {"\x10\xff\xff\xff\x7f", broker.RefusedLarge},
		"32 KiB and one": {"\x10\x81\x80\x02", broker.RefusedLarge},
		"endless length": {"\x10\x80\x80\x80\x80\x01", broker.RefusedProtocol},
		"HTTP":           {"GET / HTTP/1.1\r\n\r\n", broker.RefusedProtocol},
		"PUBLISH":        {"\x30\x03\x00\x01a", broker.RefusedProtocol},
		"nothing":        {"", broker.RefusedTimeout},
		"half a CONNECT": {"\x10\x20\x00\x04MQ", broker.RefusedTimeout},
	} {
		limits := broker.Limits{ConnectTimeout: 2 * patience}
		if tt.reason == broker.RefusedTimeout {
			limits.ConnectTimeout = 100 * time.Millisecond
		}
		b := start(t, broker.Config{Limits: limits})
		nc := dial(t, b)
		if _, err := nc.Write([]byte(tt.sent)); err != nil {
			t.Fatal(err)
		}
		until(t, func() bool { return b.Stats().Turned[tt.reason] == 1 })
		if n := len(b.Stats().Turned); n != 1 {
			t.Errorf("%s: %v", what, b.Stats().Turned)
		}
	}
}

// TestConnectRate: an address that connects without end is refused, and who is
// connected does not notice.
func TestConnectRate(t *testing.T) {
	b := start(t, broker.Config{Limits: broker.Limits{Connects: 1}})
	good := connect(t, b)
	until(t, func() bool {
		nc, err := net.Dial("tcp", b.Addrs()[0].String())
		if err == nil {
			nc.Close()
		}
		return b.Stats().Turned[broker.RefusedRate] >= 46
	})
	good.wantPong()
}

// TestNoSecretsInLog: neither a right nor a wrong password, nor its hash.
func TestNoSecretsInLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	logger := slog.New(slog.NewTextHandler(file, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b, err := broker.New(broker.Config{Listen: []broker.Listener{{Address: "127.0.0.1:0"}}, Users: people(t, logger)}, logger)
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, b)
	for _, who := range []option{login("anna", "geheim"), login("anna", "verraten"), login("carl", "verraten")} {
		for _, v := range []byte{3, 4, 5} {
			tryConnect(t, b, version(v), who)
		}
	}
	stop()
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"geheim", "verraten", "$argon2"} {
		if bytes.Contains(log, []byte(secret)) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if !bytes.Contains(log, []byte("reason=login")) {
		t.Errorf("the log does not say why: %s", log)
	}
}

// TestReasonStrings: a refusal says why, unless the client wants no such thing.
func TestReasonStrings(t *testing.T) {
	b := start(t, broker.Config{Protected: []string{"mine"}})
	c := connect(t, b, version(5))
	c.send(publish("mine", "x", 1, 1))
	if pk := c.want(packets.Puback); pk.ReasonCode != 0x87 || !strings.Contains(pk.Properties.ReasonString, "only the gateway") {
		t.Errorf("PUBACK 0x%02x %q", pk.ReasonCode, pk.Properties.ReasonString)
	}
	quiet := connect(t, b, version(5), func(pk *packets.Packet) { pk.Properties.RequestProblemInfoFlag = true })
	quiet.send(publish("mine", "x", 1, 1))
	if pk := quiet.want(packets.Puback); pk.ReasonCode != 0x87 || pk.Properties.ReasonString != "" {
		t.Errorf("PUBACK 0x%02x %q to a client that wants no reasons", pk.ReasonCode, pk.Properties.ReasonString)
	}
	_, ack := tryConnect(t, b, version(5), will(topic.Message{Topic: "mine", Payload: []byte("x")}))
	if ack.ReasonCode != 0x87 || ack.Properties.ReasonString != "will: only the gateway publishes to this topic" {
		t.Errorf("CONNACK 0x%02x %q", ack.ReasonCode, ack.Properties.ReasonString)
	}
}
