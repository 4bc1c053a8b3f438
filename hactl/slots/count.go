package slots

// tally is a count of the slots at a version of the table.
type tally struct {
	version                 uint64
	used, draining, leaving int
}

// count returns the current tally.
func (t *Table) count() tally {
	if t.tally.version == t.version {
		return t.tally
	}
	t.tally = tally{version: t.version}
	for i := range t.Slots {
		switch s := &t.Slots[i]; {
		case s.Used:
			t.tally.used++
		case s.Leaving():
			t.tally.leaving++
		case s.draining:
			t.tally.draining++
		}
	}
	return t.tally
}

// Used counts the occupied slots.
func (t *Table) Used() int { return t.count().used }

// Leaving counts the departed instances that keep their sessions.
func (t *Table) Leaving() (n int) {
	if t.ends.IsZero() {
		return 0
	}
	return t.count().leaving
}

// Draining returns the indices of free slots whose instances are out of service but may
// still have sessions.
func (t *Table) Draining() []int {
	if t.count().draining == 0 {
		return nil
	}
	var out []int
	for i := range t.Slots {
		if s := &t.Slots[i]; s.draining && !s.Leaving() {
			out = append(out, i)
		}
	}
	return out
}

// resting is a count of the slots at rest at a version of the table.
type resting struct {
	version    uint64
	running, n int
}

// AtRest counts the slots among the first running ones, which HAProxy has, that may be
// given to other instances.
func (t *Table) AtRest(running int) (n int) {
	if t.resting.version == t.version && t.resting.running == running {
		return t.resting.n
	}
	for i := range t.Slots[:min(running, len(t.Slots))] {
		if t.Slots[i].AtRest() {
			n++
		}
	}
	t.resting = resting{version: t.version, running: running, n: n}
	return n
}
