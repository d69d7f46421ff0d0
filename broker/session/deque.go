package session

// deque is a first-in, first-out queue that gives its memory back.
type deque[T any] struct {
	items []T
	head  int
}

func (d *deque[T]) len() int { return len(d.items) - d.head }

func (d *deque[T]) push(item T) {
	if d.head > 32 && d.head > len(d.items)/2 {
		n := copy(d.items, d.items[d.head:])
		clear(d.items[n:])
		d.items, d.head = d.items[:n], 0
	}
	d.items = append(d.items, item)
}

func (d *deque[T]) first() (item T, ok bool) {
	if d.len() == 0 {
		return item, false
	}
	return d.items[d.head], true
}

// front returns the first item to be changed; nil when there is none.
func (d *deque[T]) front() *T {
	if d.len() == 0 {
		return nil
	}
	return &d.items[d.head]
}

// back returns the last item to be changed; nil when there is none.
func (d *deque[T]) back() *T {
	if d.len() == 0 {
		return nil
	}
	return &d.items[len(d.items)-1]
}

func (d *deque[T]) pop() {
	var none T
	d.items[d.head] = none
	if d.head++; d.head < len(d.items) {
		return
	}
	if d.head = 0; cap(d.items) > 64 {
		d.items = nil
		return
	}
	d.items = d.items[:0]
}
