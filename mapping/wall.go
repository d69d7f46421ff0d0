package mapping

import (
	"crypto/sha256"
	"fmt"
	"slices"
)

// Wall is registers, or bits, that must not be read together with others because
// the device refuses that: those of a hole that do not exist, those of a point
// that is refused, or, when From is To, the border between two neighbours.
type Wall struct {
	Table    Table
	From, To int // from From up to, not including, To
}

// stands reports whether the wall is in the way of a request from begin up to
// end. No request begins or ends within a hole.
func (w Wall) stands(begin, end int) bool { return begin < w.To && w.From < end }

// Knowledge is what a device has been found to refuse, besides its Limits.
type Knowledge struct {
	Walls []Wall
	Most  [4]int // registers or bits in one request, by Table; 0: not known
}

// in returns the walls of a table.
func (k Knowledge) in(t Table) []Wall {
	var walls []Wall
	for _, w := range k.Walls {
		if w.Table == t {
			walls = append(walls, w)
		}
	}
	return walls
}

// Learn adds a finding.
func (k *Knowledge) Learn(f Finding) {
	switch {
	case f.Most > 0:
		k.Most[f.Table] = f.Most
	case !slices.Contains(k.Walls, f.Wall):
		k.Walls = append(k.Walls, f.Wall)
	}
}

// Forget drops the wall around a point that can be read after all. It reports
// whether there was one.
func (k *Knowledge) Forget(p *Point) bool {
	n := len(k.Walls)
	k.Walls = slices.DeleteFunc(k.Walls, func(w Wall) bool { return w == around(p) })
	return len(k.Walls) < n
}

// around is the wall over the registers of a point itself.
func around(p *Point) Wall {
	return Wall{p.Register.Table, p.begin(), p.end()}
}

// MapDigest tells register maps apart: what was learned of a device holds as
// long as the digest of its map is the same.
func (d *Device) MapDigest() string {
	hash := sha256.New()
	for _, p := range d.Points {
		fmt.Fprintf(hash, "%s %d %d\n", p.Register.Table, p.begin(), p.end()-p.begin())
	}
	return fmt.Sprintf("sha256:%.8x", hash.Sum(nil))
}
