package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// bystander is a client that publishes to itself. It speaks in bytes, so that
// nothing but the broker takes time.
type bystander struct {
	nc   net.Conn
	r    *bufio.Reader
	sent uint64
}

const bystanderPatience = time.Minute

// newBystander waits until the broker answers.
func newBystander(ctx context.Context, address string) (*bystander, error) {
	var nc net.Conn
	var err error
	for range 300 {
		if nc, err = net.Dial("tcp", address); err == nil || !pause(ctx, 100*time.Millisecond) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	b := &bystander{nc: nc, r: bufio.NewReader(nc)}
	hello := slices.Concat(connectPacket("bystander"), mqttPacket(0x82, []byte("\x00\x01\x00\x02by\x01")))
	if _, err := nc.Write(hello); err != nil {
		return nil, err
	}
	for range 2 { // CONNACK, SUBACK
		if _, _, err := b.next(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bystander) close() { _ = b.nc.Close() }

// talk goes on until ctx ends and returns how long each message took to be
// acknowledged and to come back, in order of length.
func (b *bystander) talk(ctx context.Context) (trips []time.Duration, err error) {
	for pause(ctx, 2*time.Millisecond) {
		t0 := time.Now()
		if err := b.trip(); err != nil {
			return nil, fmt.Errorf("message %d: %w", b.sent, err)
		}
		trips = append(trips, time.Since(t0))
	}
	slices.Sort(trips)
	return trips, nil
}

// trip sends a message of QoS 1 and waits for PUBACK and for the message.
func (b *bystander) trip() error {
	b.sent++
	number := binary.BigEndian.AppendUint64(nil, b.sent)
	if _, err := b.nc.Write(mqttPacket(0x32, []byte("\x00\x02by\x00\x01"), number)); err != nil {
		return err
	}
	for range 2 {
		first, body, err := b.next()
		if err != nil {
			return err
		}
		if first&0xf0 != 0x30 {
			continue // PUBACK
		}
		if !bytes.HasSuffix(body, number) {
			return fmt.Errorf("another came: % x", body)
		}
		if _, err := b.nc.Write(mqttPacket(0x40, body[4:6])); err != nil {
			return err
		}
	}
	return nil
}

func (b *bystander) next() (first byte, body []byte, err error) {
	_ = b.nc.SetReadDeadline(time.Now().Add(bystanderPatience))
	return readPacket(b.r)
}

func readPacket(r *bufio.Reader) (first byte, body []byte, err error) {
	if first, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, err
	}
	if n > maxPacket {
		return 0, nil, fmt.Errorf("a packet of %d bytes", n)
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return first, body, err
}

// mqttPacket makes a packet of its first byte and the rest.
func mqttPacket(first byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return slices.Concat([]byte{first}, binary.AppendUvarint(nil, uint64(len(body))), body)
}

func mqttText(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

// connectPacket is a CONNECT of MQTT 3.1.1 for a clean session.
func connectPacket(id string) []byte {
	return mqttPacket(0x10, []byte("\x00\x04MQTT\x04\x02\x00\x00"), mqttText(id))
}

// at returns a percentile of what is sorted.
func at(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*percent/100].Round(10 * time.Microsecond)
}
