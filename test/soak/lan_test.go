package main

import "testing"

// TestNote: what a subscriber counts as lost, as twice, and as sent again.
func TestNote(t *testing.T) {
	for _, tt := range []struct {
		publisher          string
		numbers            []int
		lost, twice, again int
	}{
		{"q1", []int{1, 2, 3}, 0, 0, 0},
		{"q1", []int{1, 2, 5, 6}, 2, 0, 0},
		{"q1", []int{1, 2, 3, 2, 3, 4}, 0, 0, 2},
		{"q2", []int{2, 3}, 1, 0, 0},
		{"q2", []int{1, 2, 2, 3}, 0, 1, 0},
		{"q0", []int{1, 7, 8}, 0, 0, 0},
		{"will", []int{1, 1}, 0, 1, 0},
	} {
		l := &lan{}
		s := l.subscriber("s", 2, false)
		for _, n := range tt.numbers {
			s.note(lanMessage{payload: id{tt.publisher, n}.payload()})
		}
		if l.ledger.lost != tt.lost || l.ledger.twice != tt.twice || s.again != tt.again {
			t.Errorf("%s %v: lost %d, twice %d, again %d", tt.publisher, tt.numbers, l.ledger.lost, l.ledger.twice, s.again)
		}
		if misses := s.misses(map[string]int{tt.publisher: tt.numbers[len(tt.numbers)-1] + 1}); misses == nil {
			t.Errorf("%s %v: nothing is missing", tt.publisher, tt.numbers)
		}
	}
}
