package broker

import "sync"

// debts are the answers that a client is owed, in order: a queue of one writer and
// one reader that takes no memory while it is empty.
type debts struct {
	limit int
	more  chan struct{} // one was added
	room  chan struct{} // one was taken

	mu   sync.Mutex
	due  []debt
	head int
}

func newDebts(limit int) *debts {
	return &debts{limit: limit, more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// add reports whether there was room.
func (q *debts) add(d debt) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.due)-q.head >= q.limit {
		return false
	}
	if q.head > q.limit { // what is taken makes room
		q.due, q.head = append(q.due[:0], q.due[q.head:]...), 0
	}
	q.due = append(q.due, d)
	signal(q.more)
	return true
}

func (q *debts) take() (d debt, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.due) {
		return d, false
	}
	d, q.due[q.head] = q.due[q.head], debt{}
	if q.head++; q.head == len(q.due) {
		q.head, q.due = 0, q.due[:0]
		if cap(q.due) > 16 {
			q.due = nil
		}
	}
	signal(q.room)
	return d, true
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
