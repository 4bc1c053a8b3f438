package slots

import "github.com/haproxy-zk/haproxy-zk/haproxy"

// Observation is the result of comparing a server reported by a worker with its slot.
type Observation struct {
	// Drift is true if the worker had confirmed the desired state and now has another.
	Drift bool
	// Operator is true if an operator changed the administrative state or weight of a
	// server whose address is right, or took out one that is leaving or drains by its
	// registration.
	Operator bool
}

// Observe compares a server reported by a worker with its last known state.
func Observe(want Slot, known, actual haproxy.Server) Observation {
	switch {
	case want.matches(&actual) || !want.matches(&known):
		return Observation{}
	case want.wantedWeight() != haproxy.NoWeight && actual.Admin != haproxy.Ready && actual.Weight == haproxy.NoWeight:
		// A command to this worker, or to the one before it, was executed late.
		return Observation{Drift: true}
	case actual.Addr == want.Addr && (want.Used && !want.drained() || (want.Leaving() || want.drained()) && actual.Admin == haproxy.Maint):
		return Observation{Operator: true}
	}
	return Observation{Drift: true}
}
