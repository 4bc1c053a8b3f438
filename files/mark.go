package files

import (
	"math/rand/v2"
	"time"
)

const (
	// A removal is read a moment later than a new file: what is removed may be about to be
	// replaced, or only the beginning of the removal of everything. A list is read when
	// nothing was written for a moment, so that a half of it is not taken for the whole.
	settle    = 20 * time.Millisecond
	settleMax = time.Second
	// Between two reads of a group is a pause of restPart times the duration of the first,
	// which bounds what endless changes cost.
	restPart = 10
	restMax  = 2 * time.Second

	spreadEach = 2 * time.Millisecond
	spreadMax  = 2 * time.Second
)

// jitter returns 50 % to 150 % of d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }

// mark says when something must be read.
type mark struct {
	// due is when it is due; zero: it is not.
	due time.Time
	// since is when the first event arrived that was not read yet; zero: none has.
	since time.Time
	// rest is before when it must not be read again.
	rest time.Time
}

// event marks the group after an event: for a read at once, or when no further event
// follows for a moment.
func (m *mark) event(at time.Time, soon bool) {
	if m.since.IsZero() {
		m.since = at
	}
	if soon {
		m.set(at)
		return
	}
	due := at.Add(settle)
	if last := m.since.Add(settleMax); due.After(last) {
		due = last
	}
	if due.Before(m.rest) {
		due = m.rest
	}
	if m.due.IsZero() || m.due.After(at) { // one that is due at once stays so
		m.due = due
	}
}

// set makes it due at a time, which replaces a later one.
func (m *mark) set(at time.Time) {
	if at.Before(m.rest) {
		at = m.rest
	}
	if m.due.IsZero() || at.Before(m.due) {
		m.due = at
	}
}

// later makes it due at a time unless it is due already.
func (m *mark) later(at time.Time) {
	if m.due.IsZero() {
		m.set(at)
	}
}

// over reports whether it is due, and if so begins a read.
func (m *mark) over(now time.Time) bool {
	if m.due.IsZero() || now.Before(m.due) {
		return false
	}
	m.due = time.Time{}
	return true
}

// done ends a read that took that long.
func (m *mark) done(took time.Duration) {
	m.rest, m.since = time.Now().Add(min(restPart*took, restMax)), time.Time{}
}
