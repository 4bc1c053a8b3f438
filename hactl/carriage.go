package hactl

import (
	"context"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// carriage is how the instances of a group get servers.
type carriage struct {
	carrier slots.Carrier
	// refusal is why that is not what the configuration asks for; empty if it is.
	refusal string
	// rest is how long a server without an instance, or the backend of a deleted group, is
	// left alone before it is deleted.
	rest time.Duration
	// looked is the version of the table when servers were last looked for that are to be
	// deleted.
	looked uint64
	// agent is the state of the servers' agent checks when a worker starts.
	agent haproxy.Agent
	// kind is the defaults section from which the backend of a live group is added.
	kind string
}

// dynamic reports whether the servers are added and deleted at run time.
func (c *carriage) dynamic() bool { return c.carrier.Way().Dynamic() }

// way returns how the instances of a backend get servers in a layout.
func (d *desired) way(l Layout, b haproxy.Backend) (way haproxy.Carry, reason string) {
	way, reason = l.Template.Carries(b, l.Frame.Version)
	if refusal := d.refusals[b.Name]; way.Dynamic() && refusal != "" {
		return haproxy.CarrySlots, refusal
	}
	if refusal := d.refusedBackends[b.Name]; way == haproxy.CarryBackends && refusal != "" {
		return haproxy.CarryServers, refusal
	}
	return way, reason
}

// carry makes the group's servers those of a way.
func (g *group) carry(l Layout, way haproxy.Carry, reason string) {
	g.carriage = carriage{carrier: slots.Fixed(&g.backend), refusal: reason}
	if way.Dynamic() {
		servers := l.Template.DynamicServers(g.backend, l.Frame.Version)
		g.carrier, g.rest = slots.Dynamic(&g.backend, servers, way), servers.Rest
	}
	if g.live() {
		g.kind = l.Template.KindOf(l.Frame, g.backend)
	}
	if g.agent = haproxy.NoAgent; l.Template.ChecksAgents(g.backend) {
		g.agent = haproxy.AgentOn
	}
}

// refuseServers records with its reply, quoted, that HAProxy refuses to add servers to a
// group, which therefore gets slots by the next reload.
func (d *desired) refuseServers(g *group, reply string) {
	if d.refusals[g.backend.Name] != "" {
		return
	}
	if d.refusals == nil {
		d.refusals = make(map[string]string)
	}
	d.refusals[g.backend.Name] = "HAProxy refused to add a server: " + reply
	d.opts.Metrics.serversRefused.WithLabelValues(d.opts.Proxy).Inc()
	d.opts.Logger.Warn("HAProxy refused to add a server, reloading it with slots for the group", "group", g.backend.Name, "reply", reply)
}

// applyRefusals requests a reload with slots for the groups that a worker refused servers,
// and one that adds or removes the backends that a worker refused.
func (c *Controller) applyRefusals() {
	for _, w := range c.fleet.workers {
		for g, reply := range w.refusedBackends {
			if g.live() {
				c.desired.refuseBackend(g, reply)
				c.reloads.ask(CauseGroups, c.opts.clock())
				c.publish()
			}
		}
		for g, reply := range w.refused {
			c.desired.refuseServers(g, reply)
			c.reloads.ask(CauseCarry, c.opts.clock())
		}
	}
}

// recarried returns the layout in which groups get their servers in another way than now,
// because of the version that the next launch starts or because HAProxy has refused
// servers; nil if all keep theirs.
func (c *Controller) recarried(ctx context.Context) (*Source, error) {
	if !slices.ContainsFunc(c.desired.groups, func(g *group) bool { return g.backend.Carry != "" && g.backend.Carry != haproxy.CarrySlots }) {
		return nil, nil //nolint:nilnil // no other layout is no error
	}
	next := c.desired.layout
	if next.Current != nil {
		var err error
		c.meanwhile(ctx, func() { next, err = next.Current(ctx) })
		if err != nil {
			return nil, err
		}
	}
	backends, err := c.desired.rebuilt(next)
	if err != nil {
		return nil, err
	}
	differs := func(g *group) bool {
		way, _ := c.desired.way(next, backends[g])
		return way != g.carrier.Way()
	}
	if !slices.ContainsFunc(c.desired.rendered(), differs) {
		return nil, nil //nolint:nilnil // no other layout is no error
	}
	s := &Source{layout: next, groups: make(map[string]registry.Group)}
	for _, g := range c.desired.groups {
		if g.discovered && g.listed {
			s.names = append(s.names, g.backend.Name)
		}
	}
	return s, nil
}
