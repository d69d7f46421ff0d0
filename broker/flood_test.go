package broker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	sessions "sluice/broker/session"
	"sluice/broker/topic"
)

var flood = flag.Int("flood", 10_000, "mutated packets that TestFlood sends")

// stream is a connection that holds what a client sends, and takes what it gets.
type stream struct {
	io.Reader
	closed atomic.Bool
}

func (s *stream) Write(p []byte) (int, error)      { return len(p), nil }
func (s *stream) Close() error                     { s.closed.Store(true); return nil }
func (s *stream) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *stream) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *stream) SetDeadline(time.Time) error      { return nil }
func (s *stream) SetReadDeadline(time.Time) error  { return nil }
func (s *stream) SetWriteDeadline(time.Time) error { return nil }

// mutator makes packets that are nearly right.
type mutator struct {
	*rand.Rand
	client client // to encode with
	seeds  [][]byte
}

// newMutator returns one of a version, with whole packets to begin with.
func newMutator(t *testing.T, v byte, seed uint64) *mutator {
	c := client{t: t, v: v}
	kind := func(k byte, id uint16) packets.Packet {
		return packets.Packet{FixedHeader: packets.FixedHeader{Type: k, Qos: 1}, PacketID: id}
	}
	subscribe, unsubscribe := kind(packets.Subscribe, 3), kind(packets.Unsubscribe, 4)
	subscribe.Filters = packets.Subscriptions{{Filter: "a/+/#", Qos: 1}, {Filter: "$share/g/b", Qos: 2}}
	unsubscribe.Filters = subscribe.Filters
	rich := publish("a/b", "payload", 2, 5)
	rich.Properties = packets.Properties{PayloadFormatFlag: true, MessageExpiryInterval: 9, ContentType: "t", ResponseTopic: "r",
		CorrelationData: []byte("c"), User: []packets.UserProperty{{Key: "k", Val: "v"}}}
	m := &mutator{Rand: rand.New(rand.NewPCG(seed, uint64(v))), client: c}
	for _, pk := range []packets.Packet{
		publish("a/b", "x", 0, 0), publish("b", "x", 1, 2), retained(rich), subscribe, unsubscribe, pubrel(5), disconnect(0),
		{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: 1}, {FixedHeader: packets.FixedHeader{Type: packets.Pubrec}, PacketID: 1},
		{FixedHeader: packets.FixedHeader{Type: packets.Pubcomp}, PacketID: 1}, {FixedHeader: packets.FixedHeader{Type: packets.Pingreq}},
		{FixedHeader: packets.FixedHeader{Type: packets.Connect}, Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: true,
			WillFlag: true, WillTopic: "a", WillPayload: []byte("x"), UsernameFlag: true, Username: []byte("u"), ClientIdentifier: "c"}},
	} {
		m.seeds = append(m.seeds, c.encode(pk))
	}
	return m
}

// packet returns one with a few changes, most often with the right length.
func (m *mutator) packet() []byte {
	p := bytes.Clone(m.seeds[m.IntN(len(m.seeds))])
	for range m.IntN(3) {
		i := m.IntN(len(p))
		switch m.IntN(5) {
		case 0:
			p[i] ^= 1 << m.IntN(8)
		case 1:
			p[i] = byte(m.Uint32())
		case 2:
			p = slices.Insert(p, i, byte(m.Uint32()))
		case 3:
			p = slices.Delete(p, i, i+1)
		case 4:
			p = append(p, p[i:]...)
		}
		if len(p) == 0 {
			return []byte{0}
		}
	}
	if m.IntN(8) > 0 && len(p) > 2 {
		p = slices.Concat(p[:1], binary.AppendUvarint(nil, uint64(len(p)-2)), p[2:])
	}
	return p
}

// TestFlood has clients send mutated packets, millions of them with -flood: the
// broker holds, its memory too, and a client beside them loses nothing.
func TestFlood(t *testing.T) {
	b := start(t, broker.Config{Limits: broker.Limits{Retained: 100, Session: sessions.Limits{TotalBytes: 8 << 20}}}, func(m topic.Message) (wait, error) {
		if err := topic.CheckName(m.Topic); err != nil || m.QoS > 2 {
			t.Errorf("%+v was offered: %v", m, err)
		}
		return func(context.Context) error { return nil }, nil
	})
	by := connect(t, b)
	by.subscribe(1, 1, "bystander")
	before := resources()
	var flooding sync.WaitGroup
	var sent atomic.Int64
	for worker := range 2 * runtime.GOMAXPROCS(0) {
		m := newMutator(t, byte(4+worker%2), uint64(worker))
		flooding.Go(func() {
			for sent.Load() < int64(*flood) {
				sent.Add(m.pour(t, b))
			}
		})
	}
	flooded := make(chan struct{})
	go func() { flooding.Wait(); close(flooded) }()
	trips := by.trips(b, flooded)
	after := resources()
	slices.Sort(trips)
	t.Logf("%d packets; %d round trips beside them, p50 %v, p99 %v; heap %d kB before, %d after", sent.Load(), len(trips),
		trips[len(trips)/2], trips[len(trips)*99/100], before.heap>>10, after.heap>>10)
	if after.heap > before.heap+64<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before.heap, after.heap)
	}
	until(t, func() bool { return runtime.NumGoroutine() <= before.goroutines+10 })
}

// pour lets a client say CONNECT and then packets until it is cut off, a hundred at
// most, and returns how many it said.
func (m *mutator) pour(t *testing.T, b *broker.Broker) (n int64) {
	connect := m.client.encode(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, Connect: packets.ConnectParams{
		ProtocolName: []byte("MQTT"), Clean: m.IntN(2) == 0, ClientIdentifier: fmt.Sprint("flood", m.IntN(20))}})
	s := &stream{Reader: io.MultiReader(bytes.NewReader(connect), readFunc(func(p []byte) (int, error) {
		if n == 100 {
			return 0, io.EOF
		}
		n++
		return copy(p, m.packet()), nil
	}))}
	if b.Converse(s); !s.closed.Load() {
		t.Error("the connection was left open")
	}
	return n
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// trips has a client publish to itself until done, and returns how long that took
// each time.
func (c *client) trips(b *broker.Broker, done <-chan struct{}) (all []time.Duration) {
	for n := 0; ; n++ {
		select {
		case <-done:
			return all
		default:
		}
		t0 := time.Now()
		c.send(publish("bystander", fmt.Sprint(n), 1, 1))
		for range 2 { // PUBACK and the message, in either order
			pk, err := c.read(patience)
			if err != nil {
				c.t.Fatal(err)
			}
			if pk.FixedHeader.Type == packets.Publish {
				c.wantMessageIs(pk, fmt.Sprint(n))
			}
		}
		all = append(all, time.Since(t0))
	}
}

type usage struct {
	heap       uint64
	goroutines int
}

func resources() usage {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{m.HeapAlloc, runtime.NumGoroutine()}
}
