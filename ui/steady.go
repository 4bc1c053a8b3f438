package ui

import (
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// A round trip is shown for holdTrip, unless it becomes slow or no longer is.
	holdTrip = 15 * time.Second
	slowTrip = 100 * time.Millisecond
)

// Steady keeps what an open page shows of a number that always moves, so that a page on
// which nothing happens is sent next to nothing. Create it with make, for one page.
type Steady map[string]heldTrip

// heldTrip is a round trip that is shown since a time.
type heldTrip struct {
	trip  time.Duration
	since time.Time
}

// sources returns the sources of a proxy with the round trips to show; a nil Steady holds
// none.
func (s Steady) sources(p *Proxy, now time.Time) []registry.ConnectionStatus {
	all := p.Sources.All()
	for i := range all {
		key := p.Name + " " + string(all[i].Kind())
		held, known := s[key]
		if trip := all[i].RoundTrip; known && now.Sub(held.since) < holdTrip && (held.trip >= slowTrip) == (trip >= slowTrip) {
			all[i].RoundTrip = held.trip
		} else if s != nil {
			s[key] = heldTrip{trip, now}
		}
	}
	return all
}
