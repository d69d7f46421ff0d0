package durable

import (
	"slices"
	"testing"
)

// naiveLedger attributes records one by one.
type naiveLedger struct {
	acked Seq
	fate  []string // by number
}

func (n *naiveLedger) pass(upTo Seq, fate string) {
	for ; n.acked < upTo; n.acked++ {
		if n.fate[n.acked] == "" {
			n.fate[n.acked] = fate
		}
	}
	n.settle()
}

func (n *naiveLedger) lose(s span) {
	for seq := max(s.from, n.acked); seq < s.to; seq++ {
		if n.fate[seq] == "" {
			n.fate[seq] = "damage"
		}
	}
	n.settle()
}

func (n *naiveLedger) settle() {
	for int(n.acked) < len(n.fate) && n.fate[n.acked] == "damage" {
		n.acked++
	}
}

func (n *naiveLedger) count(fate string) uint64 {
	var c uint64
	for _, f := range n.fate {
		if f == fate {
			c++
		}
	}
	return c
}

// FuzzLedger compares the ledger with one that keeps a note for each record.
func FuzzLedger(f *testing.F) {
	f.Add([]byte{0, 5, 5, 2, 10, 20, 2, 18, 30, 1, 15, 0, 2, 40, 41, 0, 60, 0})
	f.Add([]byte{2, 1, 3, 2, 5, 7, 2, 3, 5, 1, 9, 0})
	f.Add([]byte{2, 10, 20, 2, 30, 40, 2, 5, 35, 0, 12, 0, 1, 38, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		g := ledger{account: account{acked: 1}}
		n := naiveLedger{acked: 1, fate: make([]string, 300)}
		for ; len(ops) >= 3; ops = ops[3:] {
			a, b := Seq(ops[1]), Seq(ops[2])
			switch ops[0] % 3 {
			case 0:
				g.ack(a)
				n.pass(a, "delivered")
			case 1:
				g.drop(a)
				n.pass(a, "overflow")
			case 2:
				before := n.count("damage")
				fresh, ok := g.lose(span{a, b})
				n.lose(span{a, b})
				if !ok || fresh != n.count("damage")-before {
					t.Fatalf("lose %d to %d: %d fresh, %v", a, b, fresh, ok)
				}
			}
			delivered := uint64(g.acked-1) - g.overflow - g.damage
			if g.acked != n.acked || g.overflow != n.count("overflow") || g.lost() != n.count("damage") || delivered != n.count("delivered") {
				t.Fatalf("%+v, delivered %d; want acked %d, overflow %d, damage %d, delivered %d",
					g, delivered, n.acked, n.count("overflow"), n.count("damage"), n.count("delivered"))
			}
			for i, h := range g.holes {
				if h.len() == 0 || h.from <= g.acked || (i > 0 && h.from <= g.holes[i-1].to) {
					t.Fatalf("holes %v, cursor %d", g.holes, g.acked)
				}
			}
			if next := g.unread(a); next < max(a, g.acked) || (next < 300 && n.fate[next] == "damage") {
				t.Fatalf("unread(%d) = %d with holes %v", a, next, g.holes)
			}
		}
	})
}

func TestLedgerIsBounded(t *testing.T) {
	g := ledger{account: account{acked: 1}}
	for i := range Seq(maxHoles) {
		if _, ok := g.lose(span{10 + 2*i, 11 + 2*i}); !ok {
			t.Fatalf("hole %d refused", i)
		}
	}
	if n, ok := g.lose(span{5000, 5001}); ok || n != 0 {
		t.Errorf("one hole too many: %d, %v", n, ok)
	}
	g.ack(12)
	if _, ok := g.lose(span{5000, 5001}); !ok || !slices.Contains(g.holes, span{5000, 5001}) {
		t.Error("refused after the cursor moved")
	}
}
