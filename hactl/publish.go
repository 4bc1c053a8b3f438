package hactl

import (
	"slices"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// status is the state of a [Controller] that other goroutines may read while it runs.
type status struct {
	snapshot *registry.Snapshot
	problem  string // why it is not ready; empty if it is
}

// setProblem publishes why the proxy is not ready.
func (c *Controller) setProblem(text string) {
	c.status.Store(&status{snapshot: c.Snapshot(), problem: text})
}

// publish publishes the snapshot if it changed.
func (c *Controller) publish() {
	old := c.Snapshot()
	s := &registry.Snapshot{Proxy: c.opts.Proxy, ReloadError: c.reloads.failure}
	if c.desired.unlisted() {
		s.Waiting = append(s.Waiting, registry.AllGroups)
	}
	for _, g := range c.desired.rendered() {
		shown := g.members.Registered()
		shown.Instances = g.members.Meant()
		s.Groups = append(s.Groups, shown)
		s.Remarks = append(s.Remarks, g.remark()...)
		if !g.members.Read() {
			s.Waiting = append(s.Waiting, g.backend.Name)
		}
		if g.isDown() {
			s.Down = append(s.Down, g.backend.Name)
		}
	}
	if old == nil || !slices.EqualFunc(old.Groups, s.Groups, sameGroup) || !slices.Equal(old.Remarks, s.Remarks) || !slices.Equal(old.Waiting, s.Waiting) || !slices.Equal(old.Down, s.Down) || old.ReloadError != s.ReloadError {
		c.status.Store(&status{snapshot: s, problem: c.status.Load().problem})
		if c.opts.Published != nil {
			c.opts.Published()
		}
	}
}

func sameGroup(a, b registry.Group) bool {
	return a.Name == b.Name && registry.SameList(a.Instances, b.Instances)
}
