package auth_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/auth"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := auth.NewLimiter(2, 3)
		take := func(from string, want bool) {
			t.Helper()
			a, _ := netip.ParseAddr(from)
			if l.Spent(a) == want || l.Take(a) != want {
				t.Errorf("%s: not %v", from, want)
			}
		}
		for range 3 {
			take("192.0.2.1", true)
		}
		take("192.0.2.1", false)
		take("::ffff:192.0.2.1", false) // the same machine
		take("192.0.2.2", true)
		take("", true) // a unix socket
		for range 3 {
			take("2001:db8::1", true)
		}
		take("2001:db8::2", false) // the same network
		take("2001:db8:0:1::1", true)
		time.Sleep(499 * time.Millisecond)
		take("192.0.2.1", false)
		time.Sleep(time.Millisecond)
		take("192.0.2.1", true)
		take("192.0.2.1", false)
		time.Sleep(time.Hour)
		for range 3 {
			take("192.0.2.1", true)
		}
		take("192.0.2.1", false)
	})
}

// TestLimiterBounded: more addresses than can be told apart share an allowance,
// until some have been quiet.
func TestLimiterBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := auth.NewLimiter(1, 1)
		addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
		taken := 0
		for i := range 5000 {
			if l.Take(addr(i)) {
				taken++
			}
		}
		if taken != 1025 {
			t.Errorf("%d of 5000 addresses entered at once", taken)
		}
		time.Sleep(time.Second)
		if !l.Take(addr(6000)) || !l.Take(addr(6001)) {
			t.Error("no room although all have been quiet")
		}
	})
}
