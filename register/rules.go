package register

import "time"

// Rules are the numbers of a life.
type Rules struct {
	// Passes is how often in a row the check must pass before the node is created, Failures
	// how often in a row it must fail before the node is deleted; both are at least 1.
	Passes, Failures int
	// Drain is how long requests may still arrive after the node was deleted.
	Drain time.Duration
	// Grace is how long the command may take to stop before it is killed.
	Grace time.Duration
	// Patience is how long ZooKeeper may take to delete the node before the stop continues
	// without it, and how long the kernel may take to end a killed command.
	Patience time.Duration
}
