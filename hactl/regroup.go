package hactl

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/membership"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// How HAProxy got a changed configuration, in a metric.
const (
	appliedByReload = "reload"
	appliedLive     = "live"
)

// regrouping is another layout for which HAProxy needs no reload: it differs from the
// running one only in groups that come and go at run time, and in what is not rendered.
type regrouping struct {
	layout Layout
	source *Source
	// backends are those of the layout's groups, by name, except for discovered groups that
	// are refused.
	backends map[string]haproxy.Backend
}

// regroup makes the layout of a source the running one without a reload, if it can.
func (c *Controller) regroup(ctx context.Context, s *Source) (done bool) {
	if !c.reloads.serving() || c.reloads.urgent || len(c.fleet.workers) == 0 || s.layout.Frame.Version != c.fleet.runningVersion {
		return false
	}
	r, obstacle := c.desired.regrouping(s)
	if obstacle != "" {
		c.opts.Logger.Info("reloading HAProxy for the new configuration", "because_of", obstacle)
		return false
	}
	added, removed := c.desired.regroup(r)
	c.desired.change = nil
	c.reloads.spared()
	for _, g := range removed {
		c.fleet.changed.gone(g)
	}
	c.opts.Metrics.configurations.WithLabelValues(c.opts.Proxy, appliedLive).Inc()
	c.opts.Logger.Info("new configuration is in service without a reload", "groups_added", len(added), "groups_removed", len(removed))
	c.opts.Report(registry.Event{Kind: registry.EventConfigurationAccepted, Reason: "without a reload", Detail: summarizeGroups(added, removed)})
	if attrs, ended := c.reloads.failures.Over(c.opts.clock()); ended {
		c.launchEnded(CauseConfiguration, "")
		c.opts.Logger.With(attrs...).Info("the reload that failed is not needed any more")
	}
	c.protect(ctx)
	c.publish()
	c.assign(ctx)
	c.apply(ctx, c.desired.groups)
	return true
}

// summarizeGroups names some of the groups that came and went.
func summarizeGroups(added, removed []*group) string {
	var parts []string
	for _, part := range []struct {
		what   string
		groups []*group
	}{{"added", added}, {"removed", removed}} {
		if n := len(part.groups); n > 0 {
			var names []string
			for _, g := range part.groups[:min(n, namesLogged)] {
				names = append(names, g.backend.Name)
			}
			text := fmt.Sprintf("%s: %s", part.what, strings.Join(names, ", "))
			if n > namesLogged {
				text += fmt.Sprintf(" and %d more", n-namesLogged)
			}
			parts = append(parts, text)
		}
	}
	if len(parts) == 0 {
		return "nothing that HAProxy's configuration contains"
	}
	return strings.Join(parts, "; ")
}

// regrouping compares what the layout of a source renders with what runs. obstacle is why
// that takes a reload; empty if it does not.
func (d *desired) regrouping(s *Source) (r regrouping, obstacle string) {
	r = regrouping{layout: s.layout, source: s, backends: make(map[string]haproxy.Backend)}
	r.layout.Frame = s.layout.Frame.Keeping(d.layout.Frame)
	known := make(map[string]*group, len(d.groups))
	for _, g := range d.groups {
		known[g.backend.Name] = g
		if g.standing.leftOut() || g.shadowed {
			return r, fmt.Sprintf("the group %s, which is left out now", g.backend.Name)
		}
	}
	text := groupTexts{d.layout.Template.GroupRenderer(d.layout.Frame), r.layout.Template.GroupRenderer(r.layout.Frame)}
	before, after := d.rendition(), rendition{layout: r.layout}
	maps := before.fixed().maps()
	folded := make(map[string]bool)
	for _, g := range d.groupsOf(r.layout, s) {
		b := g.backend
		name := strings.ToLower(b.Name)
		if folded[name] {
			return r, fmt.Sprintf("the group %s, whose name differs from another one's only in case", b.Name)
		}
		folded[name], r.backends[b.Name] = true, b
		if b.Route != "" && !slices.ContainsFunc(maps, func(m haproxy.Map) bool { return m.Route == b.Route }) {
			return r, fmt.Sprintf("the route %s of the group %s", b.Route, b.Name)
		}
		now := known[b.Name]
		if obstacle := d.standsInWay(r.layout, now, b, text); obstacle != "" {
			return r, obstacle
		}
		if now != nil && !now.live() {
			g.carriage = now.carriage
			after.groups, after.tables = append(after.groups, g), append(after.tables, now.table)
		}
	}
	for _, g := range d.groups {
		if _, stays := r.backends[g.backend.Name]; !stays && !g.live() {
			return r, fmt.Sprintf("the group %s, which a reload removes", g.backend.Name)
		}
	}
	if !bytes.Equal(before.skeleton(), after.skeleton()) {
		return r, "what it renders for other groups, or besides groups"
	}
	return r, ""
}

// groupsOf returns stand-ins for the groups that a layout would have with the lists of a
// source, in the order of the rendered file.
func (d *desired) groupsOf(l Layout, s *Source) (groups []*group) {
	there := make(map[string]bool)
	for _, b := range l.Backends {
		groups, there[b.Name] = append(groups, &group{backend: b}), true
	}
	if l.Discover == nil {
		return groups
	}
	names := slices.Clone(s.names)
	for _, g := range d.groups {
		if g.discovered && !g.listed && !g.retired {
			names = append(names, g.backend.Name) // it may come back
		}
	}
	for _, name := range names {
		if there[name] {
			continue
		}
		there[name] = true
		b, err := l.Discover(name)
		if err == nil && l.Template.Validate(l.Frame, []haproxy.Backend{b}) == nil {
			groups = append(groups, &group{backend: b, discovery: discovery{discovered: true}})
		}
	}
	inOrder(groups)
	return groups
}

// groupTexts render a group with the running layout, and with another one.
type groupTexts struct{ before, after func(haproxy.Backend) string }

// standsInWay returns why a group of a layout takes a reload; empty if it does not. now is
// the group of that name; nil if there is none.
func (d *desired) standsInWay(l Layout, now *group, b haproxy.Backend, text groupTexts) string {
	way, _ := d.way(l, b)
	switch {
	case now == nil && way != haproxy.CarryBackends:
		return fmt.Sprintf("the group %s, which a reload adds", b.Name)
	case now == nil:
		return ""
	case way != now.carrier.Way():
		return fmt.Sprintf("the group %s, which is carried by %s from now on", b.Name, way)
	case now.live() && (now.backend.Route != b.Route || now.kind != l.Template.KindOf(l.Frame, b) || text.before(now.backend) != text.after(b)):
		return fmt.Sprintf("the settings of the group %s", b.Name)
	case !now.dynamic() && now.backend.Servers.Size() != b.Servers.Size():
		return fmt.Sprintf("the number of servers of the group %s", b.Name)
	}
	return ""
}

// regroup makes a layout the desired one, and returns the groups that come and go.
func (d *desired) regroup(r regrouping) (added, removed []*group) {
	l, before := r.layout, slices.Clone(d.groups)
	d.layout, d.listed, d.older, d.refused = l, true, false, nil
	known := make(map[string]*group, len(before))
	for _, g := range before {
		known[g.backend.Name] = g
		if b, stays := r.backends[g.backend.Name]; stays {
			d.retune(g, b)
		} else if !g.retired {
			d.remove(g)
			removed = append(removed, g)
		}
	}
	d.groups = nil
	written := make(map[*group]bool, len(l.Backends))
	for _, b := range l.Backends {
		g := known[b.Name]
		if g == nil {
			g = d.newGroup(b, false, b.Servers.Size())
		}
		g.discovered, g.listed, g.retirement = false, true, retirement{}
		d.groups, written[g] = append(d.groups, g), true
	}
	for _, g := range before {
		if !written[g] {
			d.groups = append(d.groups, g)
		}
	}
	if l.Discover != nil {
		d.setDiscovered(r.source.names)
	}
	inOrder(d.groups)
	d.shadow()
	for _, g := range d.groups {
		if known[g.backend.Name] == nil {
			added = append(added, g)
		}
		if seen, read := r.source.groups[g.backend.Name]; read && g.listed {
			d.see(g, seen)
		}
	}
	return added, removed
}

// retune gives a group the settings of another layout that renders the same for it.
func (d *desired) retune(g *group, b haproxy.Backend) {
	if b.Discovered && !g.discovered {
		d.births++
		g.discovered, g.born = true, d.births
	}
	g.backend = b
	way, reason := d.way(d.layout, b)
	g.carry(d.layout, way, reason)
	g.members.SetShare(b.LossGuard)
	g.table.Retune(b.WaitCheck && g.checked(), b.DrainTimeout)
}

// remove begins the removal of a live group that the configuration does not have any more.
// Requests are kept from it at once. Its servers finish those that are on their way.
func (d *desired) remove(g *group) {
	g.counting(func() {
		g.members = membership.New(g.backend.Name, g.backend.LossGuard)
		g.members.Restore(registry.Group{Name: g.backend.Name})
	})
	g.table.Retune(false, 0)
	g.discovered, g.listed, g.emptied = true, false, time.Time{} // like one that is long gone
	d.retireBackend(g)
}
