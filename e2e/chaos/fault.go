package chaos

import (
	"context"
	"time"
)

// fault is one kind of fault, from its start to its end.
type fault struct {
	name string
	// weight is how often it is drawn, relative to others in its lane.
	weight int
	// kills is true if it kills or stops a process that requests pass through.
	kills bool
	// least and most bound its duration.
	least, most time.Duration
	// do starts the fault, keeps it active for the step's duration and ends it. It
	// returns once the expected consequences were seen, and an error if they were not.
	do func(ctx context.Context, w *world, s step) error
}

// lane is a list of faults of which one is active at a time. Faults of different lanes
// overlap.
type lane struct {
	name   string
	faults []fault
	// least and most bound the pause between two faults.
	least, most time.Duration
}
