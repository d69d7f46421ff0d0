package queue

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"sluice/broker/topic"
)

func TestRecord(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	for _, m := range []topic.Message{
		{},
		{Topic: "a/b", Payload: []byte("17.5"), QoS: 1, Retain: true},
		{Topic: "a", QoS: 2},
		{Topic: string(bytes.Repeat([]byte("x"), topic.MaxBytes)), Payload: make([]byte, 100_000)},
	} {
		for _, at := range []time.Time{at, {}, time.UnixMilli(0), time.UnixMilli(-1)} {
			for _, epoch := range []uint64{0, 1, 1<<64 - 1} {
				b := appendRecord(nil, m, at, epoch)
				if n := len(b) - len(m.Topic) - len(m.Payload); n > maxOverhead {
					t.Errorf("overhead of %d bytes", n)
				}
				got, err := parseRecord(b)
				if err != nil || !equal(got.Message, m) || !got.At.Equal(at) || got.Epoch != epoch {
					t.Errorf("%.20q at %v in epoch %d became %.20q at %v in %d, %v", m.Topic, at, epoch, got.Message.Topic, got.At, got.Epoch, err)
				}
			}
		}
	}
}

func TestRecordBytes(t *testing.T) {
	m := topic.Message{Topic: "a/b", Payload: []byte("xy"), QoS: 1, Retain: true}
	want := []byte{3, 'a', '/', 'b', 0b101, 0xd0, 0x0f, 'x', 'y'}
	if got := appendRecord(nil, m, time.UnixMilli(1000), 0); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
	want = []byte{3, 'a', '/', 'b', 0b1101, 0xd0, 0x0f, 8, 7, 6, 5, 4, 3, 2, 1, 'x', 'y'}
	if got := appendRecord(nil, m, time.UnixMilli(1000), 0x0102030405060708); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

func TestNotARecord(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":             {},
		"topic cut off":     {5, 'a', 'b'},
		"no flags":          {1, 'a'},
		"no time":           {1, 'a', 0},
		"time cut off":      {1, 'a', 0, 0x80},
		"QoS 3":             {1, 'a', 3, 0},
		"flag of a later":   {1, 'a', 16, 0},
		"epoch cut off":     {1, 'a', 8, 0, 1, 2, 3, 4, 5, 6, 7},
		"length overflows":  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a', 0, 0},
		"topic over 65,535": append([]byte{0x80, 0x80, 4}, make([]byte, 65540)...),
	} {
		if _, err := parseRecord(b); !errors.Is(err, errRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, topic.Message{Topic: "a/b", Payload: []byte("1"), QoS: 1}, time.UnixMilli(5), 0))
	f.Add(appendRecord(nil, topic.Message{Topic: "a/b", Payload: []byte("1")}, time.UnixMilli(5), 7))
	f.Add([]byte{1, 'a', 4, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b)
		if err != nil {
			return
		}
		again, err := parseRecord(appendRecord(nil, r.Message, r.At, r.Epoch))
		if err != nil || !equal(again.Message, r.Message) || !again.At.Equal(r.At) || again.Epoch != r.Epoch {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}

func equal(a, b topic.Message) bool {
	return a.Topic == b.Topic && a.QoS == b.QoS && a.Retain == b.Retain && bytes.Equal(a.Payload, b.Payload)
}

func FuzzLetter(f *testing.F) {
	at := time.UnixMilli(5)
	f.Add(appendLetter(nil, Letter{Lane: Alarm, Record: Record{Seq: 7, Message: topic.Message{Topic: "a/b", Payload: []byte("1")}, At: at}, Why: "denied", Buried: at}))
	f.Add([]byte{0, 1, 2, 0, 1, 'a', 4, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLetter(b)
		if err != nil || len(l.Why) > maxWhy {
			return
		}
		again, err := parseLetter(appendLetter(nil, l))
		if err != nil || again.Lane != l.Lane || again.Seq != l.Seq || again.Why != l.Why || !again.Buried.Equal(l.Buried) ||
			!equal(again.Message, l.Message) || !again.At.Equal(l.At) {
			t.Errorf("%+v became %+v, %v", l, again, err)
		}
	})
}
