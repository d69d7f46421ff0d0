package broker_test

import (
	"context"
	"testing"

	"sluice/broker"
	"sluice/broker/topic"
)

// TestRetap replaces a tap between two messages, with none lost and none offered to both.
func TestRetap(t *testing.T) {
	var first, second []string
	note := func(to *[]string) broker.Tap {
		return func(m topic.Message) (func(context.Context) error, error) {
			*to = append(*to, m.Topic)
			return nil, nil
		}
	}
	b := start(t, broker.Config{}, note(&first))
	for _, m := range []string{"a", "b"} {
		if err := b.Publish(t.Context(), topic.Message{Topic: m}); err != nil {
			t.Fatal(err)
		}
		b.Retap(func() []broker.Tap { return []broker.Tap{note(&second)} })
	}
	if len(first) != 1 || len(second) != 1 || first[0] != "a" || second[0] != "b" {
		t.Errorf("offered %q, then %q", first, second)
	}
}

func TestProtectWhileServing(t *testing.T) {
	b := start(t, broker.Config{Protected: []string{"mine"}})
	for _, tt := range []struct {
		protect []string
		refused string
		taken   string
	}{
		{nil, "mine", "yours"},
		{[]string{"yours"}, "yours", "mine"},
	} {
		if tt.protect != nil {
			if err := b.Protect(tt.protect); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Deliver(topic.Message{Topic: tt.refused}); err == nil {
			t.Errorf("%s is taken", tt.refused)
		}
		if err := b.Deliver(topic.Message{Topic: tt.taken}); err != nil {
			t.Errorf("%s: %v", tt.taken, err)
		}
	}
	if err := b.Protect([]string{"a/#/b"}); err == nil {
		t.Error("what is no filter is taken")
	}
	if err := b.Deliver(topic.Message{Topic: "yours"}); err == nil {
		t.Error("an error has unprotected what was protected")
	}
}
