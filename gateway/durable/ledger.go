package durable

import (
	"cmp"
	"slices"
)

// maxAhead bounds what is known of records ahead of the cursor.
const maxAhead = 1024

// span is the records from from up to, but not including, to.
type span struct{ from, to Seq }

func (s span) len() uint64 {
	if s.to <= s.from {
		return 0
	}
	return uint64(s.to - s.from)
}

// fate is what became of a record.
type fate uint8

const (
	delivered fate = iota
	dropped        // overflow
	expired
	damaged
	dead
)

// part is records ahead of the cursor that have met their fate.
type part struct {
	span
	fate fate
}

// ledger attributes every record to exactly one fate, or to the backlog. What
// meets its fate ahead of the cursor is settled when the cursor passes it.
type ledger struct {
	account
	ahead []part // sorted, apart from each other unless their fates differ, above acked
}

// settleAll gives the records below upTo a fate, except those that have theirs,
// and returns how many they were.
func (g *ledger) settleAll(upTo Seq, f fate) uint64 {
	n := span{g.acked, upTo}.len()
	g.acked = max(g.acked, upTo)
	n -= g.catchUp()
	g.count(f, n)
	return n
}

// catchUp takes the parts that the cursor has reached out of the list. A part at
// the cursor is passed to its end: nothing there is left to wait for. It returns
// how many of their records were behind the cursor already.
func (g *ledger) catchUp() uint64 {
	var behind uint64
	for len(g.ahead) > 0 && g.ahead[0].from <= g.acked {
		p := g.ahead[0]
		behind += span{p.from, min(p.to, g.acked)}.len()
		g.count(p.fate, p.len())
		g.acked = max(g.acked, p.to)
		g.ahead = slices.Delete(g.ahead, 0, 1)
	}
	return behind
}

// settle gives the records of s a fate, except those that have theirs, and
// returns how many they were. It reports false, and does nothing, when too much
// waits for the cursor.
func (g *ledger) settle(s span, f fate) (uint64, bool) {
	s.from = max(s.from, g.acked)
	fresh := subtract(s, g.ahead)
	if len(fresh) == 0 {
		return 0, true
	}
	var n uint64
	ahead := slices.Clone(g.ahead)
	for _, s := range fresh {
		n += s.len()
		ahead = append(ahead, part{s, f})
	}
	if ahead = merge(ahead); len(ahead) > max(maxAhead, len(g.ahead)) {
		return 0, false
	}
	g.ahead = ahead
	g.catchUp()
	return n, true
}

// subtract returns what of s is in none of parts.
func subtract(s span, parts []part) []span {
	var rest []span
	for _, p := range parts {
		if head := (span{s.from, min(s.to, p.from)}); head.len() > 0 {
			rest = append(rest, head)
		}
		s.from = max(s.from, p.to)
	}
	if s.len() > 0 {
		rest = append(rest, s)
	}
	return rest
}

// merge sorts parts and joins those that touch and share a fate.
func merge(parts []part) []part {
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.from, b.from) })
	out := parts[:0]
	for _, p := range parts {
		if n := len(out); n > 0 && out[n-1].to == p.from && out[n-1].fate == p.fate {
			out[n-1].to = p.to
		} else {
			out = append(out, p)
		}
	}
	return out
}

// total returns how many records met the fate f, settled or ahead.
func (g *ledger) total(f fate) uint64 {
	n := g.settled(f)
	for _, p := range g.ahead {
		if p.fate == f {
			n += p.len()
		}
	}
	return n
}

// lost returns how many records are lost.
func (g *ledger) lost() uint64 { return g.total(dropped) + g.total(expired) + g.total(damaged) }

// snapshot returns the account as it is saved: with the largest delivered part
// that is ahead of the cursor.
func (g *ledger) snapshot() account {
	acc := g.account
	acc.ahead = span{}
	for _, p := range g.ahead {
		if p.fate == delivered && p.len() > acc.ahead.len() {
			acc.ahead = p.span
		}
	}
	return acc
}

// restore begins with a saved account.
func (g *ledger) restore(acc account) {
	g.account, g.ahead = acc, nil
	if acc.ahead.len() > 0 {
		g.ahead = []part{{acc.ahead, delivered}}
	}
}

// backlog returns how many records below next have no fate yet.
func (g *ledger) backlog(next Seq) uint64 {
	n := span{g.acked, next}.len()
	for _, p := range g.ahead {
		n -= p.len()
	}
	return n
}

// unread returns the first record at or after seq without a fate.
func (g *ledger) unread(seq Seq) Seq { return g.past(max(seq, g.acked)) }

// past returns the first record at or after seq that met no fate ahead of the
// cursor.
func (g *ledger) past(seq Seq) Seq {
	for _, p := range g.ahead {
		if p.from <= seq && seq < p.to {
			seq = p.to
		}
	}
	return seq
}
