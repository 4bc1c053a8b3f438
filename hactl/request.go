package hactl

import (
	"fmt"
	"slices"
	"sync"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// requests are the requests to the loop, other than lists of instances.
type requests struct {
	mu       sync.Mutex
	cause    Cause    // of the requested reload; empty if there is none
	released []string // groups whose held instances are to be released
	staged   *Source  // reads the registered instances for a staged layout
	joined   *Source  // has read everything, not yet noticed by the loop
	source   *Source  // the source whose lists count; nil means the controller itself
}

// waiting reports whether there is a request that the loop has not taken.
func (r *requests) waiting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cause != "" || len(r.released) > 0 || r.joined != nil
}

// Reload requests a reload with the desired state. It does not block and may be called
// at any time from any goroutine. Pending requests are merged, and a request before
// HAProxy serves is satisfied by its start.
func (c *Controller) Reload(cause string) {
	c.in.requests.mu.Lock()
	c.in.requests.cause = Cause(cause)
	c.in.requests.mu.Unlock()
	c.in.nudge()
}

// Release releases the instances of a group that the loss guard holds, and returns
// their number. It does not block and may be called at any time from any goroutine. An
// unknown group is an error.
func (c *Controller) Release(group string) (held int, err error) {
	s := c.Snapshot()
	if !slices.ContainsFunc(s.Groups, func(g *registry.Group) bool { return g.Name == group }) {
		return 0, fmt.Errorf("%s has no group %q", c.opts.Proxy, group)
	}
	c.in.requests.mu.Lock()
	c.in.requests.released = append(c.in.requests.released, group)
	c.in.requests.mu.Unlock()
	c.in.nudge()
	return s.Held(group), nil
}

// Stage prepares another layout. The instances registered for it go to the returned
// source, while the running layout stays in service. Once the source has every group, a
// reload makes the new layout the running one, and lists sent to other sources or to
// the controller itself are ignored from then on. The sockets of its frame must be
// those of the first layout. After a failed reload the old layout stays in service and
// the reload is retried. A later call replaces a staged layout that is still
// incomplete.
func (c *Controller) Stage(l Layout) *Source {
	s := &Source{inbox: c.in, layout: l, groups: make(map[string]registry.Group), in: make(chan struct{})}
	c.in.requests.mu.Lock()
	defer c.in.requests.mu.Unlock()
	s.await()
	c.in.requests.staged = s
	s.join()
	return s
}

// takeRequests takes the pending requests, and reports whether held instances were
// released.
func (c *Controller) takeRequests() (released bool) {
	r := &c.in.requests
	r.mu.Lock()
	cause, let, joined := r.cause, r.released, r.joined
	r.cause, r.released, r.joined = "", nil, nil
	r.mu.Unlock()
	if joined != nil {
		c.desired.change = joined
		c.reloads.ask(CauseConfiguration, c.opts.clock())
	}
	for _, g := range c.desired.groups {
		if slices.Contains(let, g.backend.Name) && g.holdLogged {
			g.members.Release()
			const reason = "an operator releases them"
			c.opts.Report(g.event(registry.EventReleased, registry.Instance{}, reason))
			c.opts.Logger.Warn("deregistered instances are no longer held", "group", g.backend.Name, "reason", reason)
			g.holdLogged, released = false, true
		}
	}
	if cause != "" || joined != nil {
		c.desired.refusals, c.desired.refusedBackends = nil, nil
	}
	if cause != "" {
		c.desired.resetQuarantine()
		c.reloads.ask(cause, c.opts.clock())
	}
	return released
}
