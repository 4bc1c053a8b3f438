package syncer

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// contact is what others may know of the session.
type contact struct {
	heard atomic.Int64 // Unix nanoseconds; 0 is never

	mu        sync.Mutex
	connected bool
	problem   string
}

func (c *contact) hear() { c.heard.Store(time.Now().UnixNano()) }

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

func (c *contact) get() registry.Contact {
	c.mu.Lock()
	defer c.mu.Unlock()
	contact := registry.Contact{Connected: c.connected, Problem: c.problem}
	if heard := c.heard.Load(); heard != 0 {
		contact.Last = time.Unix(0, heard)
	}
	return contact
}
