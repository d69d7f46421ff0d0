package topic

import (
	"iter"
	"slices"
	"strings"
)

// Index finds what was put under the filters that match a name. The zero Index is
// empty. It is not safe for concurrent use.
type Index[V comparable] struct{ root node[V] }

// node is one level of the filters.
type node[V comparable] struct {
	below map[string]*node[V]
	here  []V // of filters that end here
}

// Add puts v under a valid filter.
func (x *Index[V]) Add(filter string, v V) {
	n := &x.root
	for level := range strings.SplitSeq(filter, "/") {
		next := n.below[level]
		if next == nil {
			if n.below == nil {
				n.below = map[string]*node[V]{}
			}
			next = &node[V]{}
			n.below[level] = next
		}
		n = next
	}
	n.here = append(n.here, v)
}

// Remove takes v away from filter, if it is there.
func (x *Index[V]) Remove(filter string, v V) { x.root.remove(filter, true, v) }

func (n *node[V]) remove(filter string, more bool, v V) {
	if !more {
		if i := slices.Index(n.here, v); i >= 0 {
			n.here = slices.Delete(n.here, i, i+1)
		}
		return
	}
	level, rest, more := strings.Cut(filter, "/")
	next := n.below[level]
	if next == nil {
		return
	}
	next.remove(rest, more, v)
	if len(next.here)+len(next.below) == 0 {
		delete(n.below, level)
	}
}

// Match yields what stands under each filter that matches name, as Match does.
func (x *Index[V]) Match(name string) iter.Seq[V] {
	return func(yield func(V) bool) {
		x.root.match(name, true, !strings.HasPrefix(name, "$"), yield)
	}
}

// match reports whether yield wants more. Without more levels the filter may end
// here, or with a #, which stands for the parent level too. Wildcards count in the
// first level only if wild says so.
func (n *node[V]) match(name string, more, wild bool, yield func(V) bool) bool {
	if wild && !n.below["#"].each(yield) {
		return false
	}
	if !more {
		return n.each(yield)
	}
	level, rest, more := strings.Cut(name, "/")
	if next := n.below[level]; next != nil && !next.match(rest, more, true, yield) {
		return false
	}
	next := n.below["+"]
	return !wild || next == nil || next.match(rest, more, true, yield)
}

func (n *node[V]) each(yield func(V) bool) bool {
	if n == nil {
		return true
	}
	for _, v := range n.here {
		if !yield(v) {
			return false
		}
	}
	return true
}
