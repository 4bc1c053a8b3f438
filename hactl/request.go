package hactl

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Layout is what a [Controller] makes of what is registered; its fields are
// those of [Options].
type Layout struct {
	Template *Template
	Frame    Frame
	Backends []Backend
	Discover func(name string) (Backend, error)
}

// requests is what others ask of the loop, besides taking in what is registered.
type requests struct {
	mu     sync.Mutex
	cause  string   // of the reload that is asked for; empty is none
	let    []string // groups whose held instances are to be let go
	staged *Source  // reads what is registered for a layout to come
	joined *Source  // it has read everything, and the loop does not know yet
	source *Source  // whose lists count; nil is the controller itself
}

// waiting tells whether there is something that the loop has not heard.
func (r *requests) waiting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cause != "" || len(r.let) > 0 || r.joined != nil
}

// Reload asks for a reload with what is rendered now. It does not block and may
// be called at any time from any goroutine: those that wait become one, and one
// that is asked for before HAProxy serves is its start.
func (c *Controller) Reload(cause string) {
	c.requests.mu.Lock()
	c.requests.cause = cause
	c.requests.mu.Unlock()
	c.inbox.nudge()
}

// Release lets go the instances of a group that the loss guard holds, and returns
// how many those are. It does not block and may be called at any time from any
// goroutine. A group that is not there is an error.
func (c *Controller) Release(group string) (held int, err error) {
	s := c.Snapshot()
	if !slices.ContainsFunc(s.Groups, func(g registry.Group) bool { return g.Name == group }) {
		return 0, fmt.Errorf("%s has no group %q", c.Proxy, group)
	}
	c.requests.mu.Lock()
	c.requests.let = append(c.requests.let, group)
	c.requests.mu.Unlock()
	c.inbox.nudge()
	return s.Held(group), nil
}

// Stage prepares another layout. What is registered for it goes to the source
// that is returned, while all goes on as it was; once the source has got every
// group, the layout becomes the running one by a reload, and what goes to
// other sources or to the controller itself counts no more. The sockets of its
// frame must be those of the first. A reload that does not succeed
// leaves the old layout in service and is tried again. A later call takes the
// place of an earlier one that has not got everything.
func (c *Controller) Stage(l Layout) *Source {
	s := &Source{controller: c, layout: l, groups: make(map[string]registry.Group), in: make(chan struct{})}
	c.requests.mu.Lock()
	defer c.requests.mu.Unlock()
	c.requests.staged = s
	s.join()
	return s
}

// Source takes what is registered for a layout, like the controller for its own.
// Its methods may be called from any goroutine and do not block.
type Source struct {
	controller *Controller
	in         chan struct{}

	// What follows is guarded by the controller's requests until the loop
	// takes the source, and the loop's own from then on.

	layout Layout
	groups map[string]registry.Group
	names  []string
	listed bool
}

// SetGroups is [Controller.SetGroups].
func (s *Source) SetGroups(d registry.Discovered) {
	s.set(func() { s.names, s.listed = d.Names, true }, func() { s.controller.inbox.list(d) })
}

// SetGroup is [Controller.SetGroup].
func (s *Source) SetGroup(g registry.Group) {
	s.set(func() { s.groups[g.Name] = g }, func() { s.controller.inbox.put(g) })
}

// In is closed once the source counts, and no other does.
func (s *Source) In() <-chan struct{} { return s.in }

func (s *Source) set(collect, pass func()) {
	r := &s.controller.requests
	r.mu.Lock()
	defer r.mu.Unlock()
	switch s {
	case r.staged:
		collect()
		s.join()
	case r.joined:
		collect()
	case r.source:
		pass()
	}
}

// join hands a staged source to the loop if it has everything.
func (s *Source) join() {
	if !s.complete() {
		return
	}
	r := &s.controller.requests
	r.staged, r.joined, r.source = nil, s, s
	s.controller.inbox.take() // it came from the source before
	close(s.in)
	s.controller.inbox.nudge()
}

func (s *Source) complete() bool {
	for _, b := range s.layout.Backends {
		if _, read := s.groups[b.Name]; !read {
			return false
		}
	}
	if s.layout.Discover == nil {
		return true
	}
	for _, name := range s.names {
		if _, read := s.groups[name]; read {
			continue
		}
		if _, err := s.layout.Discover(name); err == nil { // else nobody reads it
			return false
		}
	}
	return s.listed
}

// absorb takes in what came after it was taken.
func (s *Source) absorb(m mail) {
	maps.Copy(s.groups, m.groups)
	if m.listed {
		s.names, s.listed = m.found.Names, true
	}
}

// hear takes the requests, and tells whether somebody was released.
func (c *Controller) hear() (released bool) {
	r := &c.requests
	r.mu.Lock()
	cause, let, joined := r.cause, r.let, r.joined
	r.cause, r.let, r.joined = "", nil, nil
	r.mu.Unlock()
	if joined != nil {
		c.change, c.changeAt = joined, time.Now()
	}
	for _, g := range c.groups {
		if slices.Contains(let, g.backend.Name) && g.told {
			c.Logger.Warn("instances that left are held no longer", "group", g.backend.Name, "reason", g.guard.release("an operator releases them"))
			g.told, released = false, true
		}
	}
	if cause != "" {
		c.pardon()
	}
	switch {
	case cause == "":
	case c.reloadCause == "slots":
		c.reloadCause = cause // that one could turn out to be needless
	default:
		c.rearrange(cause)
	}
	return released
}

// convert makes the layout that was staged the running one. On error everything
// is as it was, and it is tried again later.
func (c *Controller) convert(ctx context.Context) {
	c.sweep(ctx) // for what is down, and what operators did
	before, workers := c.Options, c.workers
	groups, listed, refused := c.groups, c.listed, c.refused
	cause, at := c.reloadCause, c.reloadAt
	c.install(ctx, c.change)
	c.workers = nil // they have the old groups
	if err := c.reload(ctx, "configuration"); err != nil {
		c.changeAt = c.reloadAt
		c.Options, c.workers = before, workers
		c.groups, c.listed, c.refused = groups, listed, refused
		c.reloadCause, c.reloadAt = cause, at
		c.publish() // as it was
		return
	}
	c.change = nil
	for _, old := range groups {
		if !slices.ContainsFunc(c.groups, func(g *group) bool { return g.backend.Name == old.backend.Name }) {
			c.Metrics.forgetGroup(c.Proxy, old.backend.Name)
		}
	}
	c.publish()
}

// install replaces the groups by those of a source. Instances keep their slots,
// as far as there are as many, and what operators made of them.
func (c *Controller) install(ctx context.Context, s *Source) {
	old := make(map[string]*group, len(c.groups))
	var lingering []string
	for _, g := range c.groups {
		old[g.backend.Name] = g
		if !g.listed && !slices.Contains(s.names, g.backend.Name) {
			lingering = append(lingering, g.backend.Name)
		}
	}
	c.Template, c.Frame, c.Backends, c.Discover = s.layout.Template, s.layout.Frame, s.layout.Backends, s.layout.Discover
	c.groups, c.workers, c.refused = nil, nil, nil
	for _, b := range c.Backends {
		c.groups = append(c.groups, newGroup(b, false))
	}
	c.listed, c.older = true, false
	if c.Discover != nil {
		c.discover(slices.Concat(s.names, lingering))
		c.discover(s.names)
	}
	fresh := make(map[*group]*Table)
	for _, g := range c.groups {
		before := old[g.backend.Name]
		if before != nil {
			fresh[g] = g.table
			g.follow(before)
		}
		if seen, read := s.groups[g.backend.Name]; read && g.listed {
			g.see(seen, time.Now())
		}
	}
	c.protect(ctx)
	for g, table := range fresh {
		table.inherit(g.table, g.meant)
		g.table = table
	}
}

// follow makes the group begin where the one of the same name before it is.
func (g *group) follow(before *group) {
	share := g.guard.share
	g.seen, g.meant, g.emptied, g.table = before.seen, before.meant, before.emptied, before.table
	g.told, g.touched, g.filled = before.told, before.touched, before.filled
	g.ran, g.accepted, g.running = before.ran, before.accepted, before.running
	g.guard, g.damper = before.guard.clone(), before.damper.clone()
	g.guard.share = share
}

// inherit takes over the slots of those instances that stay, or are leaving, from a table whose
// workers are replaced together with it. It begins empty.
func (t *Table) inherit(old *Table, stay []registry.Instance) {
	t.doubted, t.ends = old.doubted, old.ends
	stays := make(map[netip.AddrPort]bool, len(stay))
	for _, instance := range stay {
		stays[instance.Addr] = true
	}
	for i, s := range old.Slots {
		if s.leaving() && t.drain == 0 || !s.leaving() && (!s.Used || !stays[s.Addr]) {
			continue
		}
		if i >= len(t.Slots) {
			if i = t.oldest(); i < 0 {
				t.Grow(1)
				if i = t.oldest(); i < 0 {
					continue // there are as many as there may be
				}
			}
		}
		t.Slots[i], t.at[s.Addr] = s, i
	}
}
