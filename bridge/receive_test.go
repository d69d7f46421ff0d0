package bridge_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sluice/bridge"
	"sluice/bridge/queue"
	"sluice/broker/topic"
)

// receiver returns a bridge that sends and receives, and where it delivers.
func receiver(t *testing.T) (b *bridge.Bridge, delivered *[]topic.Message) {
	q, err := queue.Open(queue.Config{Dir: t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	delivered = new([]topic.Message)
	return bridge.New(bridge.Config{
		ID: "cloud",
		Send: []bridge.Rule{
			{Match: "plant/secret/#", Drop: true},
			{Match: "plant/#", Exclude: []string{"plant/+/set"}, Strip: "plant/", To: "acme/{topic}/v1"},
		},
		Receive: []bridge.Rule{
			{Match: "acme/+/debug", Drop: true},
			{Match: "acme/#", Exclude: []string{"acme/x"}, Strip: "acme/", To: "plant/{topic}"},
			{Match: "shared/#", Plain: true},
			{Match: "sys/#", To: "${topic}"},
		},
		Beside:    [][]bridge.Rule{{{Match: "shared/own"}}},
		LiveFirst: []queue.Name{queue.Telemetry},
		LateTo:    "acme/late/{topic}",
		Deliver: func(m topic.Message) error {
			if m.Topic == "plant/meter/value" {
				return errors.New("is the gateway's own")
			}
			*delivered = append(*delivered, m)
			return nil
		},
	}, q, nil, slog.New(slog.DiscardHandler)), delivered
}

func TestAccept(t *testing.T) {
	for _, tt := range []struct {
		in   string // topic upstream
		want string // delivered; - when refused, ~ for an echo
	}{
		{"acme/pump/set", "plant/pump/set retain"},
		{"acme/pump/debug", ""},
		{"acme/x", ""},
		{"other", ""},
		{"$SYS/a", ""},
		{"acme/pump/flow/v1", "~"},
		{"acme/late/acme/pump/flow/v1", "~"},
		{"acme/secret/flow/v1", "plant/secret/flow/v1 retain"}, // never sent
		{"acme/pump/set/v1", "plant/pump/set/v1 retain"},       // excluded from what is sent
		{"acme/meter/value", "-"},
		{"shared/a", "shared/a"},
		{"shared/own", "~"},
		{"sys/SYS", "-"},
	} {
		b, delivered := receiver(t)
		b.Accept(topic.Message{Topic: tt.in, Payload: []byte("x"), QoS: 1, Retain: true})
		got := ""
		switch s := b.Stats(); {
		case s.Echoes == 1:
			got = "~"
		case s.Refused == 1:
			got = "-"
		case s.Received == 1:
			m := (*delivered)[0]
			got = m.Topic + strings.TrimSuffix(fmt.Sprintf(" %v", map[bool]string{true: "retain"}[m.Retain]), " ")
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.in, got, tt.want)
		}
	}
}

// What came down never goes up again, by whatever bridge.
func TestNothingGoesBackUp(t *testing.T) {
	b, delivered := receiver(t)
	b.Accept(topic.Message{Topic: "acme/pump/mode", QoS: 1})
	other, _ := receiver(t)
	for _, b := range []*bridge.Bridge{b, other} {
		if wait, err := b.Offer((*delivered)[0]); wait != nil || err != nil {
			t.Errorf("offered: %v", err)
		}
		if wait, err := b.Offer(topic.Message{Topic: "plant/pump/mode"}); wait == nil || err != nil {
			t.Errorf("the site's own was not taken: %v", err)
		}
	}
}
