package events

import (
	"slices"
	"sort"
)

// queue has events in the order of their numbers, within a bound in bytes. Dropped
// events leave no memory behind but their places, which later events take.
type queue struct {
	limit int // bytes of all events
	size  int
	ring  []Event
	first int // index in ring of the oldest
	n     int
}

func (q *queue) at(i int) *Event { return &q.ring[(q.first+i)%len(q.ring)] }

// push adds an event and passes on to drop those that no longer fit, oldest first.
func (q *queue) push(e Event, drop func(*Event)) {
	q.size += e.size()
	for q.n > 0 && q.size > q.limit {
		oldest := q.at(0)
		q.size -= oldest.size()
		drop(oldest)
		*oldest = Event{}
		q.first, q.n = (q.first+1)%len(q.ring), q.n-1
	}
	if q.n == len(q.ring) {
		q.grow()
	}
	q.n++
	*q.at(q.n - 1) = e
}

// grow doubles the places, of which no more are needed than the smallest events take.
func (q *queue) grow() {
	places := min(max(16, 2*len(q.ring)), q.limit/eventBytes+1)
	q.ring = append(slices.Concat(q.ring[q.first:], q.ring[:q.first]), make([]Event, places-len(q.ring))...)
	q.first = 0
}

// after returns the index of the first event with a number above seq; n if there is none.
func (q *queue) after(seq uint64) int {
	return sort.Search(q.n, func(i int) bool { return q.at(i).Seq > seq })
}
