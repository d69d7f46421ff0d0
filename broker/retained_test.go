package broker_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	"sluice/broker/retain"
	"sluice/broker/topic"
	"sluice/gateway/durable/durabletest"
)

// openStore opens and runs a store; what it returns ends both.
func openStore(t *testing.T, disk *durabletest.Disk) (*retain.Store, func()) {
	t.Helper()
	s, err := retain.OpenFS(disk.Start(), retain.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() {
		cancel()
		<-ended
		_ = s.Close() // the disk may be gone
	}
}

// TestRetainedSurvive: what was acknowledged is there after a power cut; the
// gateway's own is not, nor what became its own since.
func TestRetainedSurvive(t *testing.T) {
	disk := durabletest.New(1)
	s, end := openStore(t, disk)
	b, stop := startWithStop(t, broker.Config{Retained: s})
	c := connect(t, b, version(5))
	kept := retained(publish("kept", "x", 1, 1))
	kept.Properties = packets.Properties{ContentType: "text/plain"}
	c.send(kept, retained(publish("kept 2", "y", 2, 2)), retained(publish("gone", "x", 1, 3)), retained(publish("gone", "", 1, 4)), retained(publish("now mine", "x", 1, 5)))
	c.wantAnswer(packets.Puback, 1, 0)
	c.wantAnswer(packets.Pubrec, 2, 0)
	for id := range uint16(3) {
		c.wantAnswer(packets.Puback, id+3, 0)
	}
	last := connect(t, b, will(topic.Message{Topic: "will", Payload: []byte("gone"), QoS: 1, Retain: true}))
	_ = last.nc.Close()
	until(t, func() bool { return b.Stats().Retained == 4 })
	c.send(retained(publish("after the will", "x", 1, 6))) // is written after it
	c.wantAnswer(packets.Puback, 6, 0)
	send(t, b, topic.Message{Topic: "own", Payload: []byte("x"), Retain: true})
	disk.Cut()
	_ = stop()
	end()

	s, end = openStore(t, disk)
	defer end()
	b, stop = startWithStop(t, broker.Config{Retained: s, Protected: []string{"now mine"}})
	defer func() { _ = stop() }()
	got := map[string]packets.Packet{}
	c = connect(t, b, version(5))
	c.subscribe(1, 2, "#")
	for range 4 {
		pk := c.want(packets.Publish)
		got[pk.TopicName] = pk
	}
	c.wantSilence()
	if pk := got["kept"]; string(pk.Payload) != "x" || pk.Properties.ContentType != "text/plain" || pk.FixedHeader.Qos != 1 {
		t.Errorf("%+v", pk)
	}
	for _, name := range []string{"kept 2", "will", "after the will"} {
		if !got[name].FixedHeader.Retain {
			t.Errorf("%s is missing", name)
		}
	}
	if n := b.Stats().Retained; n != 4 {
		t.Errorf("%d retained", n)
	}
}

// TestRetainedOnFailingDisk: a retained message that can't be stored is not
// acknowledged as if it were.
func TestRetainedOnFailingDisk(t *testing.T) {
	disk := durabletest.New(1)
	s, end := openStore(t, disk)
	defer end()
	b := start(t, broker.Config{Retained: s})
	c := connect(t, b, version(5))
	c.send(retained(publish("a", "x", 1, 1)))
	c.wantAnswer(packets.Puback, 1, 0)
	disk.SetFaults(durabletest.Faults{Sync: func(string) bool { return true }})
	c.send(retained(publish("a", "y", 1, 2)))
	c.wantAnswer(packets.Puback, 2, 0x97)
	c.send(retained(publish("a", "z", 0, 0)), publish("b", "x", 1, 3)) // promise nothing
	c.wantAnswer(packets.Puback, 3, 0)
}
