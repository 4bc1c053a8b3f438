package stats

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

const (
	// A subject that is gone is remembered for this long: if it returns, its counters
	// continue.
	rememberFor = time.Hour
	// maxGone bounds the subjects that are gone and remembered: 4 MB.
	maxGone = 20_000
	// settledFor is longer than a reading takes.
	settledFor = time.Minute
)

// subject is what is counted: a frontend, a backend, or an instance of a group.
type subject struct {
	kind  haproxy.StatsKind
	proxy string
	addr  netip.AddrPort // of an instance
}

func subjectOf(s haproxy.Stats) subject { return subject{s.Kind, s.Proxy, s.Addr} }

// total is what all workers have counted of a subject, those that are gone included.
type total struct {
	counters haproxy.Counters
	// read is when a worker last had the subject.
	read time.Time
	// present is when it was last shown as present; zero is never.
	present time.Time
	// marks has its figures at the marks of the ledger.
	marks [marks]tally
	// forgotten is true once the ledger no longer has it.
	forgotten bool
	// label is that of an instance in the metrics, made once.
	label string
}

// slot is a frontend, a backend or a server in one worker.
type slot struct {
	kind          haproxy.StatsKind
	proxy, server string
}

// last is the last reading of a slot.
type last struct {
	of       *total // nil before the first reading
	addr     netip.AddrPort
	counters haproxy.Counters
	// since is when a server's status began.
	status haproxy.Status
	since  time.Time
}

// book has the last readings of one worker.
type book struct {
	slots map[slot]*last
	// settled has when the figures of a slot were settled, until it is read again or for
	// settledFor.
	settled map[slot]time.Time
	pruned  time.Time // when those were last removed that nobody needs any more
	// since is the time since which its slots have grown: that of its last reading, or else
	// that of its start; zero is unknown.
	since time.Time
}

// settle records when the figures of a slot were settled.
func (b *book) settle(at slot, now time.Time) {
	if now.Sub(b.pruned) > settledFor {
		b.pruned = now
		maps.DeleteFunc(b.settled, func(_ slot, settled time.Time) bool { return now.Sub(settled) > settledFor })
	}
	b.settled[at] = now
}

// ledger adds up what the workers count so that no total ever falls. A worker counts by
// slot, whatever instances the slot gets: the ledger adds what each slot has counted since
// its last reading to the instance that has it. It is pure: it asks nobody, and the time
// is passed in.
type ledger struct {
	totals map[subject]*total
	books  map[int]*book // by pid
	// latest is when the last complete reading began; zero is never. It had this many
	// subjects.
	latest time.Time
	found  int
	// asked is when a worker was last asked, marks are some earlier readings.
	asked time.Time
	marks [marks]mark
}

func newLedger() *ledger {
	return &ledger{totals: make(map[subject]*total), books: make(map[int]*book)}
}

func (l *ledger) book(pid int) *book {
	b := l.books[pid]
	if b == nil {
		b = &book{slots: make(map[slot]*last), settled: make(map[slot]time.Time)}
		l.books[pid] = b
	}
	return b
}

// read records the statistics of a worker, which were asked for at a time and had arrived
// at another. started is when the worker started; zero is unknown.
func (l *ledger) read(pid int, started, asked, arrived time.Time, rows []haproxy.Stats) {
	l.readPart(pid, started, asked, arrived, rows)
	l.book(pid).since = asked
}

// readPart is read for the statistics of some of a worker's slots.
func (l *ledger) readPart(pid int, started, asked, arrived time.Time, rows []haproxy.Stats) {
	b := l.book(pid)
	if b.since.IsZero() {
		b.since = started
	}
	for _, row := range rows {
		at := slot{row.Kind, row.Proxy, row.Server}
		if settled, found := b.settled[at]; found {
			if asked.Before(settled) {
				continue // the row may be older than what was settled
			}
			delete(b.settled, at)
		}
		if s := l.count(b, at, row, asked); s != nil {
			s.begin(row, asked, arrived)
		}
	}
	if asked.After(l.asked) {
		l.asked = asked
	}
}

// count counts what a slot has grown by. It returns nil for a free slot.
func (l *ledger) count(b *book, at slot, row haproxy.Stats, now time.Time) *last {
	if row.Kind == haproxy.OfServer && !row.Addr.IsValid() {
		return nil
	}
	s := b.slots[at]
	if s == nil {
		s = new(last)
		b.slots[at] = s
	}
	if s.of == nil || s.of.forgotten || s.addr != row.Addr {
		s.of, s.addr = l.total(subjectOf(row)), row.Addr
	}
	s.of.read = now
	grown := row.Counters.Since(s.counters)
	s.of.counters.Add(grown)
	l.uncounted(s.of, &grown, b.since)
	s.counters = row.Counters
	return s
}

// begin records since when a server has its status. HAProxy reports how long that is in
// whole seconds, at some moment between the question and the answer: a time that is known
// stays as long as it fits, so that nothing changes while the status does not.
func (s *last) begin(row haproxy.Stats, asked, arrived time.Time) {
	earliest, latest := asked.Add(-row.Unchanged-time.Second), arrived.Add(-row.Unchanged+time.Second)
	if s.status != row.Status || s.since.Before(earliest) || s.since.After(latest) {
		s.status, s.since = row.Status, asked.Add(-row.Unchanged)
	}
}

// since returns when the status of a server in a worker began; zero is unknown.
func (l *ledger) since(pid int, row haproxy.Stats) time.Time {
	if b := l.books[pid]; b != nil {
		if s := b.slots[slot{row.Kind, row.Proxy, row.Server}]; s != nil {
			return s.since
		}
	}
	return time.Time{}
}

func (l *ledger) total(of subject) *total {
	t := l.totals[of]
	if t == nil {
		t = new(total)
		if of.kind == haproxy.OfServer {
			t.label = `,address="` + of.addr.String() + `"`
		}
		l.totals[of] = t
	}
	return t
}

// settle records the last figures of an instance that has left its slot in a worker: what
// the slot counts from now on is of the next one.
func (l *ledger) settle(pid int, row haproxy.Stats, now time.Time) {
	b := l.book(pid)
	at := slot{row.Kind, row.Proxy, row.Server}
	switch {
	case !l.latest.IsZero() || b.slots[at] != nil && b.slots[at].of != nil:
		l.count(b, at, row, now)
	case row.Counters == haproxy.Counters{}:
		delete(b.slots, at)
	default: // nobody has asked yet what it had counted
		b.slots[at] = &last{counters: row.Counters}
	}
	l.settled(b, at, now)
}

// removed records the last figures of an instance whose server a worker has deleted: if it
// is added again, it counts from 0.
func (l *ledger) removed(pid int, row haproxy.Stats, now time.Time) {
	b := l.book(pid)
	at := slot{row.Kind, row.Proxy, row.Server}
	l.count(b, at, row, now)
	delete(b.slots, at)
	l.settled(b, at, now)
}

// settled records that the figures of a slot are the last ones.
func (l *ledger) settled(b *book, at slot, now time.Time) {
	b.settle(at, now)
	if len(l.totals) > l.found+maxGone {
		l.forget(now) // nobody reads any more
	}
}

// complete ends a reading that began at a time and after which only these workers serve.
func (l *ledger) complete(began time.Time, pids []int) {
	for pid := range l.books {
		if !slices.Contains(pids, pid) {
			delete(l.books, pid)
		}
	}
	l.latest, l.found = began, 0
	for _, t := range l.totals {
		if !t.read.Before(began) {
			l.found++
		}
	}
	l.forget(began)
}

// forget forgets the subjects that no worker has had for long, and the oldest of those
// that are too many.
func (l *ledger) forget(now time.Time) {
	var gone []subject
	for of, t := range l.totals {
		switch {
		case now.Sub(t.read) > rememberFor:
			l.remove(of)
		case t.read.Before(now):
			gone = append(gone, of)
		}
	}
	if len(gone) <= maxGone {
		return
	}
	slices.SortFunc(gone, func(a, b subject) int { return l.totals[a].read.Compare(l.totals[b].read) })
	for _, of := range gone[:len(gone)-maxGone*3/4] { // so that the next one forgets none
		l.remove(of)
	}
}

func (l *ledger) remove(of subject) {
	l.totals[of].forgotten = true
	delete(l.totals, of)
}
