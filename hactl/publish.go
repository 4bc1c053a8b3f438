package hactl

import (
	"slices"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// status is the state of a [Controller] that other goroutines may read while it runs.
type status struct {
	snapshot *registry.Snapshot
	problem  string // why it is not ready; empty if it is
}

// launched is how the latest launch ended, with the version of HAProxy that runs since,
// or that was to run.
type launched struct {
	registry.Launched
	version haproxy.Version
}

// Launched returns how the latest start, reload or adoption of HAProxy ended. Any
// goroutine may call it.
func (c *Controller) Launched() registry.Launched { return c.launched.Load().Launched }

// Version returns the version of HAProxy that runs; before the first start, of the one
// that is to be started. Any goroutine may call it.
func (c *Controller) Version() haproxy.Version { return c.launched.Load().version }

// launchEnded publishes how a launch ended; text is empty if it succeeded.
func (c *Controller) launchEnded(cause Cause, text string) {
	version := c.fleet.runningVersion
	if !c.reloads.serving() {
		version = c.desired.layout.Frame.Version
	}
	c.launched.Store(&launched{registry.Launched{At: c.opts.clock(), Cause: string(cause), Error: text}, version})
}

// setProblem publishes why the proxy is not ready.
func (c *Controller) setProblem(text string) {
	c.status.Store(&status{snapshot: c.Snapshot(), problem: text})
}

// publish publishes the snapshot if it changed.
func (c *Controller) publish() {
	old := c.Snapshot()
	rendered := c.desired.rendered()
	s := &registry.Snapshot{Proxy: c.opts.Proxy, ReloadError: c.reloads.failure, Groups: make([]*registry.Group, 0, len(rendered))}
	if c.desired.unlisted() {
		s.Waiting = append(s.Waiting, registry.AllGroups)
	}
	for _, g := range rendered {
		s.Groups = append(s.Groups, g.snapshot())
		s.Remarks = append(s.Remarks, g.remark()...)
		s.Carried = append(s.Carried, registry.Carried{By: string(g.carrier.Way()), Reason: g.refusal})
		if !g.members.Read() {
			s.Waiting = append(s.Waiting, g.backend.Name)
		}
		if g.isDown() {
			s.Down = append(s.Down, g.backend.Name)
		}
		if g.beyond {
			s.Full = append(s.Full, g.backend.Name)
		}
	}
	if old == nil || !slices.EqualFunc(old.Groups, s.Groups, sameGroup) || !slices.Equal(old.Remarks, s.Remarks) || !slices.Equal(old.Carried, s.Carried) || !slices.Equal(old.Waiting, s.Waiting) || !slices.Equal(old.Down, s.Down) || !slices.Equal(old.Full, s.Full) || old.ReloadError != s.ReloadError {
		c.show(s)
	}
}

// show makes a snapshot the current one.
func (c *Controller) show(s *registry.Snapshot) {
	c.status.Store(&status{snapshot: s, problem: c.status.Load().problem})
	if c.opts.Published != nil {
		c.opts.Published()
	}
}

// publishGroups is publish where only these groups may have changed.
func (c *Controller) publishGroups(groups []*group) {
	old := c.Snapshot()
	if len(old.Groups) != len(c.desired.groups) || len(old.Remarks)+len(old.Waiting)+len(old.Down)+len(old.Full) > 0 {
		c.publish()
		return
	}
	var now []*registry.Group
	for _, g := range groups {
		at := c.desired.index[g.backend.Name]
		if old.Groups[at].Name != g.backend.Name || len(g.remark()) > 0 || g.isDown() || g.beyond {
			c.publish()
			return
		}
		shown := g.snapshot()
		if sameGroup(old.Groups[at], shown) {
			continue
		}
		if now == nil {
			now = slices.Clone(old.Groups)
		}
		now[at] = shown
	}
	if now == nil {
		return
	}
	s := *old
	s.Groups = now
	c.show(&s)
}

func sameGroup(a, b *registry.Group) bool {
	samePart := func(a, b registry.Part) bool {
		return a.Source == b.Source && registry.SameList(a.Instances, b.Instances)
	}
	return a.Name == b.Name && registry.SameList(a.Instances, b.Instances) && slices.EqualFunc(a.Parts, b.Parts, samePart)
}

// snapshot returns the group as readers see it: with the instances that are meant to serve.
func (g *group) snapshot() *registry.Group {
	shown := g.members.Registered()
	shown.Instances = g.members.Meant()
	return &shown
}
