package chaos

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// journal records the faults of a run with their times. The zero value works.
type journal struct {
	mu      sync.Mutex
	began   time.Time
	entries []*entry
}

// entry is one fault that began.
type entry struct {
	text         string
	lane, fault  string
	began, ended time.Time // ended is zero while the fault is active
	err          error
}

// start sets the time that all others are relative to.
func (j *journal) start() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.began = time.Now()
}

// begin records the start of a step. The returned function records its end.
func (j *journal) begin(s step) (end func(error)) {
	e := &entry{lane: s.lane, fault: s.fault.name, text: s.String(), began: time.Now()}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
	return func(err error) {
		j.mu.Lock()
		defer j.mu.Unlock()
		e.ended, e.err = time.Now(), err
	}
}

// active returns the faults that were active at any time between two moments.
func (j *journal) active(from, to time.Time) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var names []string
	for _, e := range j.entries {
		if !e.began.After(to) && (e.ended.IsZero() || !e.ended.Before(from)) {
			names = append(names, e.lane+"/"+e.fault)
		}
	}
	return names
}

// since returns a moment in the journal's format.
func (j *journal) since(at time.Time) string {
	return fmt.Sprintf("+%.3f", at.Sub(j.began).Seconds())
}

// String returns one line per entry.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var b strings.Builder
	for _, e := range j.entries {
		ended := "active"
		if !e.ended.IsZero() {
			ended = j.since(e.ended)
		}
		fmt.Fprintf(&b, "%9s %9s %s", j.since(e.began), ended, e.text)
		if e.err != nil {
			fmt.Fprintf(&b, ": %v", e.err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
