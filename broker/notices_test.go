package broker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notices
		for _, tt := range []struct {
			about string
			after time.Duration
			due   bool
		}{
			{"a", 0, true},
			{"a", noticeEvery - 1, false},
			{"b", 0, true},
			{"a", 1, true},
			{"a", 1, false},
		} {
			time.Sleep(tt.after)
			if got := n.due(tt.about, time.Now()); got != tt.due {
				t.Errorf("%s after %v: due is %v, want %v", tt.about, tt.after, got, tt.due)
			}
		}
		for i := range 10 * noticeKeys {
			n.due(fmt.Sprint(i), time.Now())
		}
		if len(n.last) > noticeKeys {
			t.Errorf("remembers %d", len(n.last))
		}
	})
}
