package hactl

import (
	"cmp"
	"fmt"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// event returns an event of an instance of the group.
func (g *group) event(kind registry.EventKind, i registry.Instance, reason string) registry.Event {
	return registry.Event{Kind: kind, Group: g.backend.Name, Instance: i, Reason: reason}
}

// see sets the registered instances of a group and reports which have changed. Before
// the first list nothing is known to compare it with.
func (d *desired) see(g *group, now registry.Group) {
	before, read := g.registered(), g.members.Read()
	g.see(now, d.opts.clock())
	if after := g.registered(); read && !registry.SameList(before, after) {
		registry.Changes(before, after,
			func(i registry.Instance) { d.opts.Report(g.event(registry.EventDeregistered, i, "")) },
			func(i registry.Instance) { d.opts.Report(g.event(registry.EventRegistered, i, "")) })
	}
}

// report reports a change of an instance, or counts it while HAProxy starts: all of its
// instances are new then.
func (l *changeLog) report(g *group, ch change) {
	if l.starting {
		if ch.admin == haproxy.Ready {
			l.started++
		}
		return
	}
	var kind registry.EventKind
	switch ch.admin {
	case haproxy.Ready:
		kind = registry.EventServing
	case haproxy.Drain:
		kind = registry.EventDraining
	case haproxy.Maint:
		kind = registry.EventRemoved
	}
	l.opts.Report(g.event(kind, ch.instance, ch.reason))
}

// reportStart reports how many instances a start has put into service.
func (l *changeLog) reportStart() {
	if l.starting && l.started > 0 {
		l.opts.Report(registry.Event{Kind: registry.EventServing, Reason: string(CauseStart), Detail: fmt.Sprintf("%d instances put into service", l.started)})
	}
	l.starting = false
}

// reportHealth reports that the health checks of all workers have found a slot's instance
// down, or that those of one have found it up.
func (f *fleet) reportHealth(g *group, slot int, down bool) {
	s := &g.table.Slots[slot]
	if !s.Used || s.Down == down {
		return
	}
	kind := registry.EventUp
	if down {
		kind = registry.EventDown
	}
	f.opts.Report(g.event(kind, registry.Instance{Addr: s.Addr}, "health check"))
}

// reportOverride reports an operator's override that has just become the desired state.
func (f *fleet) reportOverride(g *group, slot int) {
	s := &g.table.Slots[slot]
	e := g.event(registry.EventOperator, registry.Instance{Addr: s.Addr}, s.ChangedBy())
	e.Detail = cmp.Or(s.Override(), string(haproxy.Ready))
	f.opts.Report(e)
}

// reportOutage reports a group's outage or, if it is empty, its end.
func (d *desired) reportOutage(g *group, is outage, after time.Duration) {
	e := g.event(registry.EventOutage, registry.Instance{}, string(is))
	if is == "" {
		e.Kind, e.Detail = registry.EventOutageOver, fmt.Sprintf("%d up after %v", g.available.up, after)
	}
	d.opts.Report(e)
}
