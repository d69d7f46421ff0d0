package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// attacker is one of those that flood.
type attacker struct {
	port   int
	number int
	tries  *atomic.Int64
}

// dial connects from one of 60,000 addresses, since the broker counts by address.
// Its end is a reset, which leaves the port free.
func (a attacker) dial(ctx context.Context) (*net.TCPConn, bool) {
	a.tries.Add(1)
	from := net.IPv4(127, 1, byte(1+rand.N(250)), byte(1+rand.N(250)))
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: time.Second}
	nc, err := d.DialContext(ctx, "tcp", loopback(a.port))
	if err != nil {
		pause(ctx, time.Millisecond)
		return nil, false
	}
	conn := nc.(*net.TCPConn)
	_ = conn.SetLinger(0)
	return conn, true
}

// say writes packets and reads until the broker hangs up, or for a while.
func (a attacker) say(ctx context.Context, packets ...[]byte) {
	nc, ok := a.dial(ctx)
	if !ok {
		return
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	_ = nc.SetDeadline(time.Now().Add(2 * time.Second))
	_, _ = nc.Write(slices.Concat(packets...))
	_ = nc.CloseWrite()
	_, _ = io.Copy(io.Discard, nc)
}

func mutatedPackets(ctx context.Context, a attacker) {
	seeds := [][]byte{
		mqttPacket(0x32, mqttText("a/b"), []byte{0, 1, 'x'}), mqttPacket(0x35, mqttText("a"), []byte{0, 2, 'x'}), {0x62, 2, 0, 2}, {0x40, 2, 0, 1},
		mqttPacket(0x82, []byte{0, 1}, mqttText("a/+/#"), []byte{2}), mqttPacket(0xa2, []byte{0, 1}, mqttText("a/+/#")), {0xc0, 0}, {0xe0, 0},
	}
	for ctx.Err() == nil {
		said := [][]byte{connectPacket("")}
		for range 100 {
			p := slices.Clone(seeds[rand.N(len(seeds))])
			if rand.N(20) == 0 {
				p[rand.N(len(p))] ^= 1 << rand.N(8)
			}
			said = append(said, p)
		}
		a.say(ctx, said...)
	}
}

func wrongConnects(ctx context.Context, a attacker) {
	large := connectPacket(strings.Repeat("x", 60_000))
	for n := 0; ctx.Err() == nil; n++ {
		switch n % 4 {
		case 0:
			a.say(ctx, large)
		case 1:
			a.say(ctx, []byte{0x10, 0xff, 0xff, 0xff, 0x7f}, large)
		case 2:
			a.say(ctx, connectPacket(fmt.Sprint(rand.N(1000))), connectPacket("x"))
		case 3:
			a.say(ctx, []byte{0x10, 0x80, 0x80, 0x80, 0x80, 0x80})
		}
	}
}

// halfOpen keeps connections that never finish CONNECT until they are cut.
func halfOpen(ctx context.Context, a attacker) {
	for ctx.Err() == nil {
		nc, ok := a.dial(ctx)
		if !ok {
			continue
		}
		end := context.AfterFunc(ctx, func() { _ = nc.Close() })
		_, _ = nc.Write(connectPacket("half")[:a.number%12])
		_, _ = io.Copy(io.Discard, nc)
		end()
		_ = nc.Close()
	}
}

// slowReaders subscribe, publish and read nothing; their sessions are kept. Small
// messages fill what large ones leave.
func slowReaders(ctx context.Context, a attacker) {
	hello := mqttPacket(0x10, []byte("\x00\x04MQTT\x04\x00\x00\x00"), mqttText(fmt.Sprint("slow", a.number)))
	payload := make([]byte, 10_000)
	for ctx.Err() == nil {
		nc, ok := a.dial(ctx)
		if !ok {
			continue
		}
		_ = nc.SetReadBuffer(4096)
		end := context.AfterFunc(ctx, func() { _ = nc.Close() })
		_, err := nc.Write(slices.Concat(hello, mqttPacket(0x82, []byte{0, 1}, mqttText("slow/#"), []byte{1})))
		for err == nil && ctx.Err() == nil {
			_, err = nc.Write(mqttPacket(0x30, mqttText("slow/a"), payload[:rand.N(2)*len(payload)]))
			a.tries.Add(1)
		}
		end()
		_ = nc.Close()
	}
}

// topicBombs are deep topics, retained messages without end, and as many filters
// as there may be, all with wildcards.
func topicBombs(ctx context.Context, a attacker) {
	for ctx.Err() == nil {
		said := [][]byte{connectPacket("")}
		for n := range 200 {
			said = append(said,
				mqttPacket(0x31, mqttText(fmt.Sprintf("bomb/%d/%d", a.number, rand.N(1_000_000))), make([]byte, 1000)),
				mqttPacket(0x82, []byte{0, 1}, mqttText(wild(n)), []byte{0}),
				mqttPacket(0x30, mqttText(strings.Repeat("a/", 31)+"a"), []byte("x")))
		}
		said = append(said, mqttPacket(0x82, []byte{0, 1}, mqttText(strings.Repeat("a/", 20_000)), []byte{0}), mqttPacket(0x82, []byte{0, 2}, mqttText("#"), []byte{0}))
		a.say(ctx, said...)
	}
}

// wild returns one of many filters that match the same deep topic.
func wild(n int) string {
	var s strings.Builder
	for bit := range 10 {
		s.WriteString([]string{"a/", "+/"}[n>>bit&1])
	}
	return s.String() + "#"
}

// bareConnects come and go, 10,000 a second of all of them if the machine can.
func bareConnects(ctx context.Context, a attacker) {
	every := time.NewTicker(time.Millisecond)
	defer every.Stop()
	for ctx.Err() == nil {
		<-every.C
		for range 3 {
			if nc, ok := a.dial(ctx); ok {
				_ = nc.Close()
			}
		}
	}
}
