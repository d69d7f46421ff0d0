package broker

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/session"
	"sluice/broker/topic"
)

// TestFigures: what is refused is published by reason, when it has changed.
func TestFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := New(Config{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer b.server.Close()
		go b.publishFigures(t.Context())
		const name = "$SYS/broker/refused/topic"
		for _, want := range []string{"", "1", "", "2"} {
			b.retained.set(&session.Message{Topic: name}, 0) // takes away what there was
			if want != "" {
				_ = b.Deliver(topic.Message{Topic: "a/+"})
			}
			time.Sleep(figuresEvery)
			synctest.Wait()
			got := ""
			for _, k := range b.retained.match(name) {
				got = string(k.Payload)
			}
			if got != want {
				t.Errorf("published %q, want %q", got, want)
			}
		}
	})
}
