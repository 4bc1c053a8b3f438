package stats

import (
	"context"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// fewGroups is how many groups are read by themselves within maxAge: from then on one
// reading of all costs the workers less.
const fewGroups = 8

// recentGroups are readings of one group each, since the first of them. They belong to
// the holder of the [Collector]'s turn.
type recentGroups struct {
	since    time.Time
	readings map[string]*Reading
}

// ReadGroup is [Collector.Read] for one group: a reading that has this group alone, and no
// frontends, is enough, and with thousands of servers much sooner made.
func (c *Collector) ReadGroup(ctx context.Context, name string) (*Reading, error) {
	c.asked.Store(true)
	if r := c.fresh(); r != nil {
		return r, nil
	}
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	defer c.end()
	if r := c.fresh(); r != nil {
		return r, nil
	}
	if now := c.opts.clock(); now.Sub(c.groups.since) >= maxAge {
		c.groups = recentGroups{now, make(map[string]*Reading)}
	}
	ctx = context.WithoutCancel(ctx)
	r := c.groups.readings[name]
	switch {
	case r != nil:
	case len(c.groups.readings) < fewGroups:
		if r = c.readGroup(ctx, name); r.Workers > 0 && len(r.Groups) == 0 {
			// A worker does not have it, or takes the name for that of a frontend.
			return c.readAll(ctx), nil
		}
		c.groups.readings[name] = r
	default:
		r = c.readAll(ctx)
	}
	return r, nil
}

// readGroup reads one group of all workers and records what they have counted.
func (c *Collector) readGroup(ctx context.Context, name string) *Reading {
	answers := c.answers(ctx, haproxy.ShowGroupStats(name))
	workers := c.fleet.Workers()
	c.settle()
	for pid, a := range answers {
		if a.err == nil {
			c.ledger.readPart(pid, a.started, a.asked, a.arrived, a.rows)
		}
	}
	want := &registry.Snapshot{Proxy: c.opts.Proxy}
	all := c.fleet.Snapshot().Groups
	if i := slices.IndexFunc(all, func(g *registry.Group) bool { return g.Name == name }); i >= 0 {
		want.Groups = all[i : i+1]
	}
	return c.merge(want, workers, answers)
}
