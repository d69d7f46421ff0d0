package status_test

import (
	"testing"
	"time"

	"sluice/gateway/status"
)

func TestEventsAreKeptInOrderAndBounded(t *testing.T) {
	b := status.NewBoard()
	for range 450 {
		b.Note(status.Event{Message: "x"})
	}
	all := b.Events(0)
	if len(all) != 200 || all[0].Seq != 251 || all[199].Seq != 450 {
		t.Errorf("%d events, %d to %d", len(all), all[0].Seq, all[len(all)-1].Seq)
	}
	if late := b.Events(448); len(late) != 2 || late[0].Seq != 449 {
		t.Errorf("behind 448: %v", late)
	}
	if none := b.Events(450); len(none) != 0 {
		t.Errorf("behind the last: %v", none)
	}
}

func TestDepthsOfADay(t *testing.T) {
	b := status.NewBoard()
	start := time.UnixMilli(1e12)
	for i := range 2 * 24 * 3600 / 30 {
		lanes := []status.Lane{{Messages: uint64(i), Bytes: 10}, {Messages: 1, Bytes: 5}}
		b.Set(status.Snapshot{At: start.Add(time.Duration(i) * 30 * time.Second), Bridges: []status.Bridge{{ID: "cloud", Lanes: lanes}}})
	}
	d := b.Depths("cloud")
	last := d[len(d)-1]
	if len(d) != 1440 || last.At.Sub(d[0].At) != 1439*time.Minute || last.Messages != 2*24*120-2+1 || last.Bytes != 15 {
		t.Errorf("%d values, %v to %+v", len(d), d[0].At, last)
	}
	b.Set(status.Snapshot{})
	if len(b.Depths("cloud")) != 0 {
		t.Error("a bridge that is gone keeps its depths")
	}
}

func TestFollow(t *testing.T) {
	b := status.NewBoard()
	changed, stop := b.Follow()
	b.Set(status.Snapshot{})
	b.Note(status.Event{})
	<-changed
	select {
	case <-changed:
		t.Error("two changes that nobody looked at between are told twice")
	default:
	}
	stop()
	b.Note(status.Event{})
	select {
	case <-changed:
		t.Error("told after stop")
	default:
	}
	for range 64 {
		if c, _ := b.Follow(); c == nil {
			t.Fatal("refused before there are 64")
		}
	}
	if c, _ := b.Follow(); c != nil {
		t.Error("the 65th follower is let in")
	}
}
