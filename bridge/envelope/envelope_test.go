package envelope_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"sluice/bridge/envelope"
	"sluice/broker/topic"
)

func sample(messages ...topic.Message) *envelope.Envelope {
	return &envelope.Envelope{
		Source: envelope.Source{Gateway: "dairy", Bridge: "cloud", Lane: "telemetry"},
		Epoch:  0x0102030405060708, First: 300, Messages: messages,
	}
}

func seal(t *testing.T, e *envelope.Envelope) []byte {
	t.Helper()
	var s envelope.Sealer
	b, err := s.Seal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGolden holds the code to the page: both ends may be of different versions.
func TestGolden(t *testing.T) {
	got := hex.EncodeToString(seal(t, sample(topic.Message{Topic: "a/b", Payload: []byte("7"), Retain: true})))
	want := "534c4501" + "e3a184d0" + "0807060504030201" + "00" +
		"056461697279" + "05636c6f7564" + "0974656c656d65747279" + "ac02" + "01" + "07" + "01" + "03612f62" + "0137"
	if got != want {
		t.Errorf("sealed as %s\n      want %s", got, want)
	}
}

func TestRoundTrip(t *testing.T) {
	noise := make([]byte, 256<<10)
	rand.NewChaCha8([32]byte{}).Read(noise)
	var many []topic.Message
	for i := range envelope.MaxMessages {
		many = append(many, topic.Message{Topic: fmt.Sprintf("plant/meter-%d/power", i%20), Payload: fmt.Appendf(nil, `{"v":%d.5,"ts":%d}`, i, i*10), Retain: i%2 == 0})
	}
	var s envelope.Sealer // used again and again
	for name, messages := range map[string][]topic.Message{
		"one": {{Topic: "a", Payload: []byte("x")}}, "empty": {{Topic: "a", Payload: []byte{}, Retain: true}},
		"many": many, "noise": {{Topic: "a", Payload: noise}},
	} {
		e := sample(messages...)
		b, err := s.Seal(e)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := envelope.Open(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("%s: comes back as something else", name)
		}
		plain := 0
		for _, m := range messages {
			plain += envelope.Size(m)
		}
		if name == "many" && len(b) > plain/4 || len(b) > plain+64 {
			t.Errorf("%s: %d bytes of messages take %d", name, plain, len(b))
		}
	}
}

func TestSealRefuses(t *testing.T) {
	m := topic.Message{Topic: "a"}
	huge := topic.Message{Topic: "a", Payload: make([]byte, envelope.MaxBody)}
	var s envelope.Sealer
	for name, e := range map[string]*envelope.Envelope{
		"no message":     sample(),
		"too many":       sample(make([]topic.Message, envelope.MaxMessages+1)...),
		"too large":      sample(huge),
		"no number":      {Source: sample().Source, Messages: []topic.Message{m}},
		"past numbers":   {Source: sample().Source, First: ^uint64(0), Messages: []topic.Message{m, m}},
		"strange name":   {Source: envelope.Source{Gateway: "../x", Bridge: "b", Lane: "l"}, First: 1, Messages: []topic.Message{m}},
		"name too long":  {Source: envelope.Source{Gateway: strings.Repeat("x", 65), Bridge: "b", Lane: "l"}, First: 1, Messages: []topic.Message{m}},
		"name not given": {Source: envelope.Source{Gateway: "g", Lane: "l"}, First: 1, Messages: []topic.Message{m}},
	} {
		if _, err := s.Seal(e); err == nil {
			t.Errorf("%s: sealed", name)
		}
	}
}

// TestDamage: no bit can be wrong, and no byte missing, without being noticed.
func TestDamage(t *testing.T) {
	b := seal(t, sample(topic.Message{Topic: "a/b", Payload: bytes.Repeat([]byte("7"), 100)}))
	for i := range b {
		for bit := range 8 {
			damaged := bytes.Clone(b)
			damaged[i] ^= 1 << bit
			if _, err := envelope.Open(damaged); !errors.Is(err, envelope.ErrDamaged) && !errors.Is(err, envelope.ErrVersion) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
		}
		if _, err := envelope.Open(b[:i]); !errors.Is(err, envelope.ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	b[3] = 2
	if _, err := envelope.Open(b); !errors.Is(err, envelope.ErrVersion) {
		t.Errorf("version 2: %v", err)
	}
}

// FuzzOpen: whatever comes in is bounded, and what opens can be sealed again to
// the same.
func FuzzOpen(f *testing.F) {
	var s envelope.Sealer
	for _, payload := range []string{"", "7", strings.Repeat("seven ", 50)} {
		b, err := s.Seal(sample(topic.Message{Topic: "a/b", Payload: []byte(payload)}, topic.Message{Topic: "c", Retain: true}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[8:])
	}
	f.Fuzz(func(t *testing.T, behind []byte) {
		e, err := envelope.Open(envelope.WithHead(behind))
		if err != nil {
			if !errors.Is(err, envelope.ErrDamaged) {
				t.Errorf("error %v", err)
			}
			return
		}
		if len(e.Messages) == 0 || len(e.Messages) > envelope.MaxMessages || e.End() <= e.First {
			t.Errorf("opens as %d messages from %d on", len(e.Messages), e.First)
		}
		again, err := envelope.Open(seal(t, e))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("sealed again it opens as %+v, %v", again, err)
		}
	})
}
