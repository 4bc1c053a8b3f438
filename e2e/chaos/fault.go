package chaos

import (
	"context"
	"time"
)

// fault is one way for something to go wrong, from its begin to its end.
type fault struct {
	name string
	// weight is how often it is drawn, beside the others of its lane.
	weight int
	// kills: it ends or stops a process that requests run through.
	kills bool
	// least and most are how long it lasts.
	least, most time.Duration
	// do begins it, keeps it up for the step's time and ends it. It returns when
	// what must follow has been seen, and an error when it has not.
	do func(ctx context.Context, w *world, s step) error
}

// lane is a list of faults of which one happens at a time. Those of several lanes
// happen together.
type lane struct {
	name   string
	faults []fault
	// least and most are how long nothing happens between two faults.
	least, most time.Duration
}
