package poll_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sluice/mapping"
)

// TestRest has a device that wants to be left alone for 850 ms after each
// exchange, and needs three requests. The other device of the line is read every
// 100 ms meanwhile.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := at(10*time.Second, 0, 50, 100)
		slow.ID, slow.Unit, slow.Rest, slow.Limits = "slow", 1, 850*ms, mapping.Limits{MaxRegisters: 10}
		quick := at(100*ms, 0)
		quick.ID, quick.Unit = "quick", 2
		r, stop := startRig(t, []mapping.Device{slow, quick}, nil)
		time.Sleep(20 * time.Second)
		stop()
		var reads []time.Time
		for _, p := range slow.Points {
			reads = append(reads, r.read("slow/"+p.ID)...)
		}
		if len(reads) != 6 {
			t.Fatalf("%d readings of the device in 20 s, want 3 points twice", len(reads))
		}
		for i, a := range reads {
			for _, b := range reads[:i] {
				if between := a.Sub(b).Abs(); between < 850*ms {
					t.Errorf("two answers %v apart, want 850ms of rest", between)
				}
			}
		}
		if n := len(r.read("quick/" + quick.Points[0].ID)); n < 199 || n > 201 {
			t.Errorf("the other device was read %d times in 20 s, want 200", n)
		}
	})
}
