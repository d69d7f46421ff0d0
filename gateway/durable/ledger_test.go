package durable

import (
	"slices"
	"testing"
)

// naiveLedger attributes records one by one.
type naiveLedger struct {
	acked Seq
	fate  []int // by number; -1: none yet
}

func newNaiveLedger(n int) *naiveLedger {
	l := &naiveLedger{acked: 1, fate: make([]int, n)}
	for i := range l.fate {
		l.fate[i] = -1
	}
	return l
}

func (n *naiveLedger) settle(s span, f fate) (fresh uint64) {
	for seq := max(s.from, n.acked); seq < s.to; seq++ {
		if n.fate[seq] < 0 {
			n.fate[seq] = int(f)
			fresh++
		}
	}
	return fresh
}

func (n *naiveLedger) catchUp() {
	for int(n.acked) < len(n.fate) && n.fate[n.acked] >= 0 {
		n.acked++
	}
}

func (n *naiveLedger) count(f fate) uint64 {
	var c uint64
	for _, got := range n.fate[1:] {
		if got == int(f) {
			c++
		}
	}
	return c
}

// FuzzLedger compares the ledger with one that keeps a note for each record.
func FuzzLedger(f *testing.F) {
	f.Add([]byte{0, 5, 5, 2, 10, 20, 2, 18, 30, 1, 15, 0, 2, 40, 41, 0, 60, 0})
	f.Add([]byte{2, 1, 3, 2, 5, 7, 2, 3, 5, 1, 9, 0})
	f.Add([]byte{2, 10, 20, 7, 30, 40, 17, 5, 35, 0, 12, 0, 21, 38, 41, 3, 50, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		g := ledger{account: account{acked: 1}}
		n := newNaiveLedger(300)
		for ; len(ops) >= 3; ops = ops[3:] {
			a, b := Seq(ops[1]), Seq(ops[2])
			f := fate(ops[0] / 5 % 5)
			if ops[0]%5 < 2 { // to the cursor
				fresh := g.settleAll(a, f)
				if want := n.settle(span{1, a}, f); fresh != want {
					t.Fatalf("settle all to %d: %d fresh, want %d", a, fresh, want)
				}
				n.acked = max(n.acked, a)
			} else {
				fresh, ok := g.settle(span{a, b}, f)
				if want := n.settle(span{a, b}, f); !ok || fresh != want {
					t.Fatalf("settle %d to %d: %d fresh, %v, want %d", a, b, fresh, ok, want)
				}
			}
			n.catchUp()
			checkLedger(t, &g, n, a)
		}
	})
}

func checkLedger(t *testing.T, g *ledger, n *naiveLedger, seq Seq) {
	t.Helper()
	if g.acked != n.acked || !g.account.valid() {
		t.Fatalf("%+v; want cursor %d", g, n.acked)
	}
	for f := delivered; f <= dead; f++ {
		if g.total(f) != n.count(f) {
			t.Fatalf("%+v: %d of fate %d, want %d", g, g.total(f), f, n.count(f))
		}
	}
	if want := uint64(len(n.fate)-1) - n.count(delivered) - g.lost() - n.count(dead); g.backlog(Seq(len(n.fate))) != want {
		t.Fatalf("backlog %d, want %d", g.backlog(Seq(len(n.fate))), want)
	}
	for i, p := range g.ahead {
		if p.len() == 0 || p.from <= g.acked || (i > 0 && p.from < g.ahead[i-1].to) ||
			(i > 0 && p.from == g.ahead[i-1].to && p.fate == g.ahead[i-1].fate) {
			t.Fatalf("ahead %v, cursor %d", g.ahead, g.acked)
		}
	}
	if next := g.unread(seq); next < max(seq, g.acked) || (int(next) < len(n.fate) && n.fate[next] >= 0) {
		t.Fatalf("unread(%d) = %d with %v", seq, next, g.ahead)
	}
	var again ledger
	if again.restore(g.snapshot()); !again.account.valid() || again.acked != g.acked || again.total(delivered) > g.total(delivered) {
		t.Fatalf("%+v was restored as %+v", g, again)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	g := ledger{account: account{acked: 1}}
	for i := range Seq(maxAhead) {
		if _, ok := g.settle(span{10 + 2*i, 11 + 2*i}, damaged); !ok {
			t.Fatalf("part %d refused", i)
		}
	}
	if n, ok := g.settle(span{5000, 5001}, damaged); ok || n != 0 {
		t.Errorf("one part too many: %d, %v", n, ok)
	}
	if n, ok := g.settle(span{11, 12}, damaged); !ok || n != 1 {
		t.Errorf("what joins two parts was refused: %d, %v", n, ok)
	}
	if _, ok := g.settle(span{5000, 5001}, dead); !ok || !slices.Contains(g.ahead, part{span{5000, 5001}, dead}) {
		t.Error("refused after there was room")
	}
}
