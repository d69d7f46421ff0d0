package upstream_test

import (
	"sync/atomic"
	"testing"

	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

// TestSpends compares what is told with what has to pass at least, and with what
// headers and acknowledgements may add.
func TestSpends(t *testing.T) {
	var spent atomic.Int64
	s := listen(t)
	p, _, result := s.dial(upstream.Config{ClientID: "gw", Spend: func(n int64) { spent.Add(n) }}, nil)
	p.send(connack, 0, 0)
	d := <-result
	if d.err != nil {
		t.Fatal(d.err)
	}
	const payload = 100 << 10
	acked := d.session.Publish(topic.Message{Topic: "a", Payload: make([]byte, payload)})
	_, id := p.nextPublish()
	p.send(puback, id...)
	if err := value(t, acked); err != nil {
		t.Fatal(err)
	}
	d.session.Close(t.Context())
	p.next(disconnect)
	if got := spent.Load(); got < payload+6*52 || got > payload+payload/4 {
		t.Errorf("%d bytes for %d of payload", got, payload)
	}
}

func TestSpendsOnFailures(t *testing.T) {
	var spent atomic.Int64
	s := listen(t)
	s.ln.Close()
	if _, err := upstream.Dial(t.Context(), upstream.Config{URL: s.url(), Spend: func(n int64) { spent.Add(n) }}); err == nil {
		t.Fatal("nobody listens, yet there is a way")
	}
	if got := spent.Load(); got != 180 {
		t.Errorf("%d bytes", got)
	}
}
