package sources

import (
	"context"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Source follows where instances are registered, and passes the complete list of each
// group to a [Sink] whenever it has changed:
//
//   - A change only means that the list must be read again: no list is derived from
//     events, and one that was missed is found by a slow re-read.
//   - A group without a place there, yet, has an empty list.
//   - While the source cannot be read nothing is passed on, so the last lists stay.
//   - What is no instance is skipped and reported, and hides no other.
type Source interface {
	// Run follows the groups until ctx is done. It then returns within about two seconds,
	// even if the source does not answer. An error means that it can never work. Call it
	// once.
	Run(ctx context.Context) error
	// ConnectionStatus returns the state of the source. Any goroutine may call it at any
	// time.
	ConnectionStatus() registry.ConnectionStatus
	// Registrations returns the findings for all groups that have any, ordered by name. Any
	// goroutine may call it at any time.
	Registrations() []registry.Registrations
}

// Sink receives the instances of groups. Its methods do not block, and the lists are its
// own. For one group the calls are sequential and in order.
type Sink interface {
	SetGroup(registry.Group)
	// SetGroups receives all groups discovered now; the instances of a new group follow.
	SetGroups(registry.Discovered)
}
