package outage

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge/queue"
	"sluice/test/link"
	"sluice/test/remote"
)

var everyLink = flag.Bool("links", false, "measure goodput on every link, not only at 64 kbit/s and 600 ms")

// TestGoodput: topics and payloads of 230 bytes take nine tenths of what a link
// carries, connecting included, and 0.85 of it at 64 kbit/s and 600 ms where it is
// cut again and again. The benchmark of bridges measures the same on real sockets,
// where recent kernels repeat SYNs more often than links do here.
func TestGoodput(t *testing.T) {
	for _, tt := range []struct {
		rate  int // bit/s
		rtt   time.Duration
		cuts  bool
		least float64
	}{
		{9600, 600 * time.Millisecond, false, 0.90},
		{9600, 1500 * time.Millisecond, false, 0.90},
		{64_000, 600 * time.Millisecond, false, 0.90},
		{64_000, 1500 * time.Millisecond, false, 0.90},
		{256_000, 600 * time.Millisecond, false, 0.90},
		{256_000, 1500 * time.Millisecond, false, 0.90},
		{64_000, 600 * time.Millisecond, true, 0.85},
	} {
		if !*everyLink && (tt.rate != 64_000 || tt.rtt != 600*time.Millisecond) {
			continue
		}
		t.Run(fmt.Sprintf("%d bit,%v,%v", tt.rate, tt.rtt, tt.cuts), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got := goodput(t, link.Config{Rate: tt.rate / 8, RTT: tt.rtt}, tt.cuts)
				t.Logf("goodput %.3f", got)
				if got < tt.least {
					t.Errorf("goodput %.3f, want %v", got, tt.least)
				}
			})
		})
	}
}

// goodput drains what the link carries in about five minutes.
func goodput(t *testing.T, c link.Config, cuts bool) float64 {
	const size = 230
	w := newWorld(t, 1, c)
	w.limits[queue.Telemetry] = queue.Limits{MaxBytes: 64 << 20, CommitDelay: 50 * time.Millisecond}
	w.broker.Judge = func(m remote.Message) remote.Verdict {
		w.arrived(m)
		return remote.Acknowledge
	}
	begun := time.Now()
	w.start()
	n := 300 * c.Rate / size
	for i := range n {
		w.publish(id{queue.Telemetry, uint32(i + 1)}, size-len(queue.Telemetry))
	}
	ctx, stop := context.WithCancel(context.Background())
	stormed := make(chan struct{})
	go func() {
		defer close(stormed)
		if cuts {
			storm(ctx, w.link)
		}
	}()
	if !w.drained(time.Hour) {
		t.Error("never drained")
	}
	stop()
	<-stormed
	took := w.arrivals[len(w.arrivals)-1].at.Sub(begun) - w.link.Stats().Away
	w.end(false)
	w.link.Close()
	return float64(n*size) / float64(c.Rate) / took.Seconds()
}

// storm cuts a link every 20 to 60 s for 2 to 10 s, in each way in turn.
func storm(ctx context.Context, l *link.Link) {
	rng := rand.New(rand.NewPCG(1, 1))
	for how := link.Reset; ; how = (how + 1) % 3 {
		select {
		case <-time.After(time.Duration(20+rng.IntN(40)) * time.Second):
		case <-ctx.Done():
			return
		}
		l.Cut(ctx, how, time.Duration(2+rng.IntN(8))*time.Second)
	}
}
