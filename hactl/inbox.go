package hactl

import (
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// inbox holds the last list of each group until the loop takes them.
type inbox struct {
	// wake has a value when there is something to take.
	wake chan struct{}

	mu     sync.Mutex
	groups map[string]registry.Group
	since  time.Time
}

func newInbox() *inbox {
	return &inbox{wake: make(chan struct{}, 1), groups: make(map[string]registry.Group)}
}

func (in *inbox) put(g registry.Group) {
	in.mu.Lock()
	if len(in.groups) == 0 {
		in.since = time.Now()
	}
	in.groups[g.Name] = g
	in.mu.Unlock()
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// take returns the lists that came since the last call, and when the first did.
func (in *inbox) take() (map[string]registry.Group, time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	groups := in.groups
	in.groups = make(map[string]registry.Group)
	return groups, in.since
}
