package membership

import (
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// moveWait is how long an instance that is still registered in another group waits to
// be removed from that group.
const moveWait = 500 * time.Millisecond

// arrivals are the instances that would enter one group while they are registered in
// another, with the time since when they wait. Lists are read one after another, so an
// instance that moves in one transaction may be seen in both. One that stays in both
// serves both.
type arrivals map[registry.Instance]time.Time // since when they wait

// filter returns which instances in now may serve; before are those that served until
// now.
func (a *arrivals) filter(before, now []registry.Instance, elsewhere func(registry.Instance) bool, at time.Time) []registry.Instance {
	waiting := make(arrivals)
	for _, i := range now {
		if has(before, i) || !elsewhere(i) {
			continue
		}
		since, known := (*a)[i]
		if !known {
			since = at
		}
		if at.Sub(since) < moveWait {
			waiting[i] = since
		}
	}
	*a = waiting
	if len(waiting) == 0 {
		return now
	}
	return slices.DeleteFunc(slices.Clone(now), func(i registry.Instance) bool { _, waits := waiting[i]; return waits })
}

// next returns when the first of them has waited long enough; zero if none waits.
func (a arrivals) next() (at time.Time) {
	for _, since := range a {
		if end := since.Add(moveWait); at.IsZero() || end.Before(at) {
			at = end
		}
	}
	return at
}
