package poll_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping/point"
)

// TestValuesBecomeStale keeps the bus from a device for ten of its periods.
func TestValuesBecomeStale(t *testing.T) {
	for after, want := range map[int][]point.Quality{
		3:  {point.Good, point.Stale, point.Good},
		10: {point.Good, point.Stale, point.Good},
		11: {point.Good, point.Good},
		0:  {point.Good, point.Good},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &site{takes: 10 * ms}
			s.answers = map[modbus.UnitID]func() ([]byte, error){2: func() ([]byte, error) {
				time.Sleep(990 * ms)
				return []byte{0, 7}, nil
			}}
			one := device(1, 100*ms)
			one.StaleAfter = after
			s.run(t, 1100*ms, one, device(2, time.Hour))
			var got []point.Quality
			for _, r := range s.emitted {
				if r.Device != "d1" {
					continue
				}
				got = append(got, r.Quality)
				if r.Quality == point.Stale && (r.Reason != "not read again" || r.Value != point.UintValue(0) || r.Time.Sub(s.start) != 10*ms) {
					t.Errorf("stale reading %+v", r)
				}
			}
			if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
				t.Errorf("stale after %d: %v, want %v", after, got, want)
			}
		})
	}
}

// TestBadValuesDoNotBecomeStale has a device that stops answering: its values are
// bad, which says more.
func TestBadValuesDoNotBecomeStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		s.answers = map[modbus.UnitID]func() ([]byte, error){1: func() ([]byte, error) {
			if time.Since(s.start) > 50*ms {
				return silent()
			}
			return []byte{0, 7}, nil
		}}
		d := device(1, time.Second)
		d.StaleAfter = 3
		s.run(t, time.Minute, d)
		for _, r := range s.emitted[1:] {
			if r.Quality != point.Bad {
				t.Errorf("%+v", r)
			}
		}
	})
}
