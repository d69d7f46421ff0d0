package queue_test

import (
	"testing"
	"time"

	"sluice/bridge/queue"
	"sluice/broker/topic"
)

// TestEpochs: a message keeps the epoch in which it came in; what comes in after
// the lane was opened again has another, also under the same number in a new lane.
func TestEpochs(t *testing.T) {
	dir := t.TempDir()
	came := func(dir string, used bool) map[queue.Seq]uint64 {
		q, err := queue.Open(queue.Config{Dir: dir, Epochs: used}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		lane := q.Lane(queue.Telemetry)
		seq, err := lane.Append(topic.Message{Topic: "a", Payload: []byte("x")}, time.Now())
		if err == nil {
			err = lane.Wait(t.Context(), seq)
		}
		if err != nil {
			t.Fatal(err)
		}
		epochs := map[queue.Seq]uint64{}
		r := lane.NewReader()
		for {
			rec, ok, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return epochs
			}
			epochs[rec.Seq] = rec.Epoch
		}
	}
	first := came(dir, false)
	second := came(dir, true)
	third := came(dir, true)
	other := came(t.TempDir(), true)
	if len(third) != 3 || third[1] != 0 || first[1] != 0 || third[2] != second[2] || third[2] == 0 || third[3] == 0 || third[3] == third[2] {
		t.Errorf("epochs %v, then %v, then %v", first, second, third)
	}
	if other[1] == 0 || other[1] == second[2] || other[1] == third[3] {
		t.Errorf("another queue has epochs %v", other)
	}
}
