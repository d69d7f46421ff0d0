package durable

import "slices"

// maxHoles bounds the known damage ahead of the cursor.
const maxHoles = 1024

// span is the records from from up to, but not including, to.
type span struct{ from, to Seq }

func (s span) len() uint64 {
	if s.to <= s.from {
		return 0
	}
	return uint64(s.to - s.from)
}

// ledger attributes every record to exactly one of: delivered, lost by
// overflow, lost by damage, backlog. Damage ahead of the cursor is lost from the
// moment it is found, and settled when the cursor passes it.
type ledger struct {
	account
	holes []span // sorted, apart from each other, above acked
}

// ack settles the records below upTo as delivered, except those known to be lost.
func (g *ledger) ack(upTo Seq) { g.pass(upTo) }

// drop settles the records below upTo as lost by overflow and returns how many
// were not lost before.
func (g *ledger) drop(upTo Seq) uint64 {
	n := g.pass(upTo)
	g.overflow += n
	return n
}

// pass moves the cursor and returns how many of the records passed were not in a hole.
func (g *ledger) pass(upTo Seq) uint64 {
	whole := span{g.acked, upTo}.len()
	g.acked = max(g.acked, upTo)
	whole -= g.settle()
	return whole
}

// settle takes the holes that the cursor has reached out of the list. A hole at
// the cursor is passed to its end: nothing there is left to wait for. It returns
// how many lost records were behind the cursor already.
func (g *ledger) settle() uint64 {
	var behind uint64
	for len(g.holes) > 0 && g.holes[0].from <= g.acked {
		h := g.holes[0]
		behind += span{h.from, min(h.to, g.acked)}.len()
		g.damage += h.len()
		g.acked = max(g.acked, h.to)
		g.holes = slices.Delete(g.holes, 0, 1)
	}
	return behind
}

// lose counts s as damaged, as far as that is news, and returns how many
// records are. It reports false when too much damage waits for the cursor.
func (g *ledger) lose(s span) (uint64, bool) {
	s.from = max(s.from, g.acked)
	if s.len() == 0 {
		return 0, true
	}
	if len(g.holes) >= maxHoles {
		return 0, false
	}
	before := g.lost()
	i, _ := slices.BinarySearchFunc(g.holes, s.from, func(h span, from Seq) int {
		if h.to < from { // those that touch s are merged with it
			return -1
		}
		return 1
	})
	j := i
	for ; j < len(g.holes) && g.holes[j].from <= s.to; j++ {
		s = span{min(s.from, g.holes[j].from), max(s.to, g.holes[j].to)}
	}
	g.holes = slices.Replace(g.holes, i, j, s)
	g.settle()
	return g.lost() - before, true
}

// lost returns how many records damage has taken.
func (g *ledger) lost() uint64 {
	n := g.damage
	for _, h := range g.holes {
		n += h.len()
	}
	return n
}

// unread returns the first record at or after seq that is not settled or lost.
func (g *ledger) unread(seq Seq) Seq {
	seq = max(seq, g.acked)
	for _, h := range g.holes {
		if h.from <= seq && seq < h.to {
			return h.to
		}
	}
	return seq
}
