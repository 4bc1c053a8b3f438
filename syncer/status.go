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

// status is the published state of the session.
type status struct {
	// heard is when the server was last heard. It has a monotonic reading, which clock
	// steps do not affect; nil is never.
	heard atomic.Pointer[time.Time]

	// roundTrip is the time that the latest answer took, in nanoseconds; 0 before the first.
	roundTrip atomic.Int64

	// remedy is the advice for paths that may not be read.
	remedy string

	mu        sync.Mutex
	connected bool
	server    string // while connected
	problem   string
	// losses counts lost connections and failed attempts to connect.
	losses int
	denied map[string]bool // paths
}

func (c *status) hear() {
	now := time.Now()
	c.heard.Store(&now)
}

func (c *status) noteRoundTrip(d time.Duration) { c.roundTrip.Store(int64(d)) }

func (c *status) found(server string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected, c.server, c.problem = true, server, ""
}

func (c *status) lost(problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected, c.server, c.problem = false, "", problem
	c.losses++
}

// lossesSoFar returns the number of lost connections and failed attempts.
func (c *status) lossesSoFar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.losses
}

// deny records that a path may not be read.
func (c *status) deny(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denied == nil {
		c.denied = make(map[string]bool)
	}
	c.denied[path] = true
}

// allow reverts deny.
func (c *status) allow(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.denied, path)
}

// deniedProblem names the first denied path, so that the text is stable.
func (c *status) deniedProblem() string {
	if len(c.denied) == 0 {
		return ""
	}
	first := slices.Min(slices.Collect(maps.Keys(c.denied)))
	if more := len(c.denied) - 1; more > 0 {
		first = fmt.Sprintf("%s and %d more", first, more)
	}
	return fmt.Sprintf("no permission to read %s (NoAuth): %s", first, c.remedy)
}

func (c *status) get() registry.ConnectionStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := registry.ConnectionStatus{Connected: c.connected, Problem: c.problem, Denied: c.deniedProblem(), Server: c.server, RoundTrip: time.Duration(c.roundTrip.Load())}
	if heard := c.heard.Load(); heard != nil {
		status.Last = *heard
	}
	return status
}
