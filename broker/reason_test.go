package broker_test

import (
	"bufio"
	"log/slog"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	"sluice/broker/journal"
	"sluice/gateway/durable/durabletest"
)

// TestFaultInWords: MQTT 5 clients are told what was wrong with a packet, with
// CONNACK or DISCONNECT, unless the words are more than they take.
func TestFaultInWords(t *testing.T) {
	b := start(t, broker.Config{})
	hello := func(most byte, flags byte) []byte {
		return []byte{0x10, 18, 0, 4, 'M', 'Q', 'T', 'T', 5, flags, 0, 0, 5, 39, 0, 0, 0, most, 0, 0}
	}
	for _, tt := range []struct {
		name  string
		sent  []byte
		first byte // of what comes last
		words string
	}{
		{"CONNECT with a reserved flag", hello(255, 3), packets.Connack << 4, "the reserved flag of CONNECT is set"},
		{"the same of a client that takes little", hello(24, 3), packets.Connack << 4, ""},
		{"a message of QoS 3", append(hello(255, 2), 0x36, 0), packets.Disconnect << 4, "the QoS is 3"},
	} {
		nc := dial(t, b)
		if _, err := nc.Write(tt.sent); err != nil {
			t.Fatal(err)
		}
		c := &client{t: t, nc: nc, r: bufio.NewReader(nc), v: 5}
		for {
			pk, err := c.read(patience)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if pk.ReasonCode == 0 {
				continue
			}
			if pk.FixedHeader.Type<<4 != tt.first || pk.Properties.ReasonString != tt.words || pk.ReasonCode != 0x81 {
				t.Errorf("%s: %v 0x%02x %q", tt.name, pk.FixedHeader.Type, pk.ReasonCode, pk.Properties.ReasonString)
			}
			break
		}
		c.wantClosed()
	}
}

// TestStopBeforeConnack: nothing comes before CONNACK, also where the broker stops
// while a client waits for it.
func TestStopBeforeConnack(t *testing.T) {
	j, err := journal.OpenFS(durabletest.New(1).Start(), journal.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	b, stop := startWithStop(t, broker.Config{Journal: j}) // which does not run, so that nothing gets to the disk
	connect(t, b, version(5), session("c", false)).leave(b)
	c := &client{t: t, nc: dial(t, b), v: 5}
	c.r = bufio.NewReader(c.nc)
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: true, ClientIdentifier: "c"}}
	pk.ProtocolVersion = 5
	c.send(pk)
	until(t, func() bool { return b.Stats().Clients == 1 }) // and waits for the end of the former session
	if err := stop(); err != nil {
		t.Error(err)
	}
	c.wantClosed()
}
