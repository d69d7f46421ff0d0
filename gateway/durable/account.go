package durable

import (
	"encoding/binary"
	"time"
)

// account is what the medium knows of the fates of records. Of two accounts the
// one of the higher revision counts.
type account struct {
	revision uint64
	acked    Seq       // every record below has met its fate
	lost     [3]uint64 // how many of those by overflow, age and damage
	dead     uint64    // how many of them were buried; the others were delivered
	ahead    span      // delivered ahead of acked; the largest such part

	// What was lost and not told to whoever waits for the records.
	told     uint64 // lost records that are no news
	gap      Seq    // the first lost record that is
	gapSince millis // when it was appended, about; 0: not known
}

func (a account) valid() bool {
	left := uint64(a.acked)
	for _, n := range []uint64{a.lost[0], a.lost[1], a.lost[2], a.dead} {
		if n >= left {
			return false
		}
		left -= n
	}
	return a.ahead == span{} || a.ahead.from > a.acked && a.ahead.len() > 0
}

// count adds n settled records of a fate.
func (a *account) count(f fate, n uint64) {
	switch f {
	case dropped, expired, damaged:
		a.lost[f-dropped] += n
	case dead:
		a.dead += n
	}
}

// settled returns how many settled records met the fate f.
func (a *account) settled(f fate) uint64 {
	switch f {
	case dropped, expired, damaged:
		return a.lost[f-dropped]
	case dead:
		return a.dead
	}
	return uint64(a.acked-1) - a.lost[0] - a.lost[1] - a.lost[2] - a.dead
}

func (a account) put(b []byte) {
	for i, w := range []uint64{
		a.revision, uint64(a.acked), a.lost[0], a.lost[1], a.lost[2], a.dead, uint64(a.ahead.from), uint64(a.ahead.to), a.told, uint64(a.gap), uint64(a.gapSince),
	} {
		binary.LittleEndian.PutUint64(b[8*i:], w)
	}
}

func parseAccount(b []byte) account {
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	return account{
		revision: word(0),
		acked:    Seq(word(1)),
		lost:     [3]uint64{word(2), word(3), word(4)},
		dead:     word(5),
		ahead:    span{Seq(word(6)), Seq(word(7))},
		told:     word(8),
		gap:      Seq(word(9)),
		gapSince: millis(word(10)),
	}
}

// millis is a time on the medium: milliseconds since 1970, 0 for none.
type millis int64

func millisOf(t time.Time) millis {
	if t.IsZero() {
		return 0
	}
	return millis(t.UnixMilli())
}

func (m millis) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m))
}
