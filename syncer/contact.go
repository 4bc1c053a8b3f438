package syncer

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// contact is what others may know of the session.
type contact struct {
	// heard has a monotonic reading, which steps of the clock do not touch; nil is never.
	heard atomic.Pointer[time.Time]

	// remedy is what to do when a path may not be read.
	remedy string

	mu        sync.Mutex
	connected bool
	problem   string
	denied    map[string]bool // paths
}

func (c *contact) hear() {
	now := time.Now()
	c.heard.Store(&now)
}

func (c *contact) found() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected, c.problem = true, ""
}

func (c *contact) lost(problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected, c.problem = false, problem
}

// deny notes that a path may not be read.
func (c *contact) deny(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denied == nil {
		c.denied = make(map[string]bool)
	}
	c.denied[path] = true
}

// allow ends what deny has noted.
func (c *contact) allow(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.denied, path)
}

// tellDenied names one path, the same as long as the paths are.
func (c *contact) tellDenied() string {
	if len(c.denied) == 0 {
		return ""
	}
	first := slices.Min(slices.Collect(maps.Keys(c.denied)))
	if more := len(c.denied) - 1; more > 0 {
		first = fmt.Sprintf("%s and %d more", first, more)
	}
	return fmt.Sprintf("no permission to read %s (NoAuth): %s", first, c.remedy)
}

func (c *contact) get() registry.Contact {
	c.mu.Lock()
	defer c.mu.Unlock()
	contact := registry.Contact{Connected: c.connected, Problem: c.problem, Denied: c.tellDenied()}
	if heard := c.heard.Load(); heard != nil {
		contact.Last = *heard
	}
	return contact
}
