package broker_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	"sluice/broker/topic"
)

// FuzzClient sends arbitrary bytes, after CONNECT if version is 4 or 5: whatever
// they are, the broker goes on, the connection ends, and nothing but well-formed
// messages reaches a tap.
func FuzzClient(f *testing.F) {
	var seed client
	seed.t = f
	for _, v := range []byte{4, 5} {
		seed.v = v
		f.Add(byte(0), seed.encode(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect},
			Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: true, WillFlag: true, WillTopic: "a", WillPayload: []byte("x")}},
			publish("a", "x", 1, 1)))
		f.Add(v, seed.encode(publish("a", "x", 1, 1), publish("a", "x", 2, 2), pubrel(2), disconnect(0)))
		f.Add(v, seed.encode(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1,
			Filters: packets.Subscriptions{{Filter: "$share/g/a", Qos: 2}}}, publish("a", "x", 1, 1)))
	}
	b, err := broker.New(broker.Config{Listen: []broker.Listener{broker.Local("127.0.0.1:0")}, Limits: broker.Limits{Connects: 1e6}}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	b.Tap(func(m topic.Message) (wait, error) {
		if err := topic.CheckName(m.Topic); err != nil || m.QoS > 2 {
			panic(m)
		}
		return func(context.Context) error { return nil }, nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	f.Cleanup(cancel)
	go b.Run(ctx)
	<-b.Ready()
	f.Fuzz(func(t *testing.T, v byte, data []byte) {
		nc := dial(t, b)
		if v == 4 || v == 5 {
			nc = connect(t, b, version(v)).nc
		}
		_, _ = nc.Write(data)
		_ = nc.(*net.TCPConn).CloseWrite()
		_ = nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the connection does not end")
		}
	})
}
