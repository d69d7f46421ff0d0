package main

import (
	"testing"

	"sluice/broker/topic"
)

func TestLedger(t *testing.T) {
	for _, tt := range []struct {
		name           string
		taken, arrived string // one letter a message
		want           account
	}{
		{"all arrive", "abc", "abc", account{taken: 3, delivered: 3}},
		{"some wait", "abc", "a", account{taken: 3, delivered: 1, waits: 2}},
		{"some come again", "abc", "ababc", account{taken: 3, delivered: 3, duplicated: 2}},
		{"one is overtaken", "abc", "ac", account{taken: 3, delivered: 2, lost: 1}},
		{"one is late", "abc", "acb", account{taken: 3, delivered: 3}},
		{"a late one comes again", "abc", "acbb", account{taken: 3, delivered: 3, duplicated: 1}},
		{"nothing arrives", "abc", "", account{taken: 3, waits: 3}},
	} {
		l := newLedger()
		for _, id := range tt.taken {
			l.taken(topic.Message{Topic: "t", Payload: []byte(string(id))})
		}
		for _, id := range tt.arrived {
			l.arrived(topic.Message{Topic: "t", Payload: []byte(string(id))})
		}
		if got := l.balance(); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
