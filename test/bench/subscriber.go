package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// freePort returns a free TCP port on loopback.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// subscriber is the least MQTT 3.1.1 client that can receive: it adds nothing to
// what is measured.
type subscriber struct {
	conn net.Conn
	in   *bufio.Reader
	stop func() bool
}

// subscribe waits for a broker on a loopback port and subscribes at QoS 0.
func subscribe(ctx context.Context, port int, filter string) (*subscriber, error) {
	var conn net.Conn
	err := errors.New("not tried")
	for err != nil {
		if conn, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
	s := &subscriber{conn: conn, in: bufio.NewReader(conn)}
	s.stop = context.AfterFunc(ctx, func() { conn.Close() })
	connect := []byte{0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 5, 'b', 'e', 'n', 'c', 'h'}
	request := binary.BigEndian.AppendUint16([]byte{0x82, byte(5 + len(filter)), 0, 1}, uint16(len(filter)))
	request = append(append(request, filter...), 0)
	for _, packet := range [][]byte{connect, request} {
		if _, err := conn.Write(packet); err != nil {
			return nil, err
		}
		if _, _, err := s.packet(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// next returns the payload of the next message and when it had arrived.
func (s *subscriber) next() ([]byte, time.Time, error) {
	for {
		kind, body, err := s.packet()
		at := time.Now()
		if err != nil {
			return nil, at, err
		}
		if kind != 0x30 || len(body) < 2 {
			continue
		}
		topic := int(binary.BigEndian.Uint16(body))
		return body[2+topic:], at, nil
	}
}

// packet reads one packet and returns its type and body.
func (s *subscriber) packet() (kind byte, body []byte, err error) {
	first, err := s.in.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	length, err := binary.ReadUvarint(s.in)
	if err != nil {
		return 0, nil, err
	}
	body = make([]byte, length)
	_, err = io.ReadFull(s.in, body)
	return first & 0xF0, body, err
}

func (s *subscriber) close() {
	s.stop()
	s.conn.Close()
}
