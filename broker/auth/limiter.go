package auth

import (
	"net/netip"
	"sync"
	"time"
)

// limiterSize is how many addresses a Limiter tells apart; those beyond share one
// allowance.
const limiterSize = 1024

// Limiter counts events per address: so many at once, and so many a second in
// the long run. An IPv6 address stands for its /64, which one machine can have
// to itself.
type Limiter struct {
	rate, burst float64

	mu      sync.Mutex
	buckets map[netip.Prefix]bucket
	swept   time.Time
}

// bucket is what is left of an allowance, and when.
type bucket struct {
	left float64
	at   time.Time
}

// NewLimiter returns a limiter of burst events, refilled by perSecond.
func NewLimiter(perSecond float64, burst int) *Limiter {
	return &Limiter{rate: perSecond, burst: float64(burst), buckets: map[netip.Prefix]bucket{}}
}

// Take counts an event, and returns false when there were too many.
func (l *Limiter) Take(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key, b := l.find(from)
	if b.left < 1 {
		return false
	}
	b.left--
	l.buckets[key] = b
	return true
}

// Spent reports whether Take would return false.
func (l *Limiter) Spent(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, b := l.find(from)
	return b.left < 1
}

func (l *Limiter) find(from netip.Addr) (netip.Prefix, bucket) {
	now, key := time.Now(), network(from)
	b, known := l.buckets[key]
	if !known && len(l.buckets) >= limiterSize {
		l.forget(now)
	}
	if !known && len(l.buckets) >= limiterSize {
		key = netip.Prefix{}
		b, known = l.buckets[key]
	}
	if !known {
		return key, bucket{l.burst, now}
	}
	return key, l.refill(b, now)
}

func (l *Limiter) refill(b bucket, now time.Time) bucket {
	return bucket{min(b.left+l.rate*now.Sub(b.at).Seconds(), l.burst), now}
}

// forget drops the addresses that have their whole allowance, once a second at
// most: whoever comes from many addresses should not make it work.
func (l *Limiter) forget(now time.Time) {
	if now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for key, b := range l.buckets {
		if l.refill(b, now).left == l.burst {
			delete(l.buckets, key)
		}
	}
}

func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address: a unix socket
	}
	return p
}
