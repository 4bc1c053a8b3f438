package events

import (
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// The bytes of the events that are kept in memory: about 7,000 events of instances, 2,500
// of groups and 1,000 others. They are separate so that thousands of instances, however
// often they come and go, displace no reload.
const (
	instanceBytes = 1280 << 10
	groupBytes    = 512 << 10
	otherBytes    = 256 << 10
)

// Ring has the latest events. Any goroutine may call its methods, none of which waits for
// a disk or a reader.
type Ring struct {
	mu     sync.Mutex
	queues [3]queue // of events with an instance, of others with a group, and the rest
	last   uint64
	// lost is the highest number of an event that is not kept, lostAt the latest time of
	// such an event; zero if there is none.
	lost   uint64
	lostAt time.Time
	wake   chan struct{} // closed by the next event; nil while nobody waits
}

// NewRing returns a ring without events. They will take about 2 MiB at most: only long
// texts beside the places of many events with short ones may take more.
func NewRing() *Ring { return newRing(instanceBytes, groupBytes, otherBytes) }

func newRing(instances, groups, others int) *Ring {
	return &Ring{queues: [3]queue{{limit: instances}, {limit: groups}, {limit: others}}}
}

// Append records an event that happened just now. Its texts are made printable and cut.
func (r *Ring) Append(happened registry.Event) {
	happened = clean(happened)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	r.put(Event{Seq: r.last, Time: time.Now().UTC().Truncate(time.Millisecond), Event: happened})
	if r.wake != nil {
		close(r.wake)
		r.wake = nil
	}
}

func (r *Ring) put(e Event) {
	at := 2
	switch {
	case e.Instance.Addr.IsValid():
		at = 0
	case e.Group != "":
		at = 1
	}
	r.queues[at].push(e, func(dropped *Event) { r.lose(dropped.Seq, dropped.Time) })
}

func (r *Ring) lose(seq uint64, at time.Time) {
	r.lost = max(r.lost, seq)
	if at.After(r.lostAt) {
		r.lostAt = at
	}
}

// Page is a part of the events.
type Page struct {
	// Events are in the order of their numbers.
	Events []Event
	// Last is the number of the latest event, whether the page has it or not.
	Last uint64
	// Lost is the highest number of an event that is no longer kept: a reader that has not
	// got so far misses events. LostAt is the time of the latest such event, or a later one.
	// Both are zero if none was lost.
	Lost   uint64
	LostAt time.Time
}

// After returns the first events with a number above seq, at most most of them.
func (r *Ring) After(seq uint64, most int) Page {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Page{Last: r.last, Lost: r.lost, LostAt: r.lostAt}
	if seq >= r.last {
		return p
	}
	var next [len(r.queues)]int
	rest := 0
	for i := range r.queues {
		next[i] = r.queues[i].after(seq)
		rest += r.queues[i].n - next[i]
	}
	p.Events = make([]Event, 0, min(most, rest))
	for len(p.Events) < cap(p.Events) {
		var first *Event
		from := 0
		for i := range r.queues {
			if q := &r.queues[i]; next[i] < q.n && (first == nil || q.at(next[i]).Seq < first.Seq) {
				first, from = q.at(next[i]), i
			}
		}
		p.Events = append(p.Events, *first)
		next[from]++
	}
	return p
}

// Changed returns a channel that is closed once there is an event with a number above seq.
func (r *Ring) Changed(seq uint64) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq < r.last {
		now := make(chan struct{})
		close(now)
		return now
	}
	if r.wake == nil {
		r.wake = make(chan struct{})
	}
	return r.wake
}

// restore puts the events of a file, whose numbers increase, into a ring without events.
// clean is false if later events may have been recorded and not written: the numbers
// continue beyond all that these may have had.
func (r *Ring) restore(events []Event, clean bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		if e.Seq != r.last+1 {
			r.lose(e.Seq-1, e.Time)
		}
		r.last = e.Seq
		r.put(e)
	}
	if len(events) > 0 && !clean {
		r.last += maxUnwritten
		r.lose(r.last, time.Now().UTC())
	}
}

// maxUnwritten is more than the events that can be recorded while the file cannot be
// written.
const maxUnwritten = 1 << 20
