package hactl

import "github.com/prometheus/client_golang/prometheus"

// groupMetrics are the gauges of the groups of all proxies.
type groupMetrics struct {
	registered *prometheus.GaugeVec
	up         *prometheus.GaugeVec
	draining   *prometheus.GaugeVec
	held       *prometheus.GaugeVec
	damped     *prometheus.GaugeVec
	skipped    *prometheus.GaugeVec
	waiting    *prometheus.GaugeVec
	overrides  *prometheus.GaugeVec
	slots      *prometheus.GaugeVec
}

func newGroupMetrics(reg prometheus.Registerer) groupMetrics {
	gauge := func(name, help string, more ...string) *prometheus.GaugeVec {
		vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"proxy", "group"}, more...))
		reg.MustRegister(vec)
		return vec
	}
	return groupMetrics{
		registered: gauge("haproxyzk_instances_registered",
			"Instances of a group that are registered in ZooKeeper and can be used, whether they are up or not."),
		up: gauge("haproxyzk_instances_up",
			"Instances of a group that are up and take requests in every HAProxy worker; 0 while all requests of the group fail."),
		draining: gauge("haproxyzk_instances_draining",
			"Deregistered instances of a group that still get the requests of their sticky sessions, until drain_timeout."),
		held: gauge("haproxyzk_instances_held",
			"Deregistered instances of a group that the loss guard keeps in service."),
		damped: gauge("haproxyzk_instances_damped",
			"Registered instances of a group that wait to be put into service because they are flapping."),
		skipped: gauge("haproxyzk_instances_skipped",
			"Children of a group's path that are not used because their name is not ip:port or the address is not allowed."),
		waiting: gauge("haproxyzk_instances_waiting",
			"Registered instances of a group that have no server because the number of servers is at its limit."),
		overrides: gauge("haproxyzk_operator_overrides",
			"Instances of a group whose state, weight or agent check an operator has set; those with an agent check, which may have set it too, are not counted."),
		slots: gauge("haproxyzk_slots",
			"Servers of a group's backend: used by an instance that is meant to serve, or free.", "state"),
	}
}

// all returns the gauges.
func (m groupMetrics) all() []*prometheus.GaugeVec {
	return []*prometheus.GaugeVec{m.registered, m.up, m.draining, m.held, m.damped, m.skipped, m.waiting, m.overrides, m.slots}
}

// figures are the values of one group.
type figures struct{ registered, up, draining, held, damped, skipped, waiting, overrides, used, free int }

// set sets the gauges of a group.
func (m groupMetrics) set(proxy, group string, f figures) {
	for gauge, n := range map[*prometheus.GaugeVec]int{
		m.registered: f.registered, m.up: f.up, m.draining: f.draining, m.held: f.held, m.damped: f.damped,
		m.skipped: f.skipped, m.waiting: f.waiting, m.overrides: f.overrides,
	} {
		gauge.WithLabelValues(proxy, group).Set(float64(n))
	}
	m.slots.WithLabelValues(proxy, group, "used").Set(float64(f.used))
	m.slots.WithLabelValues(proxy, group, "free").Set(float64(f.free))
}

// forget removes the series with these labels.
func (m groupMetrics) forget(labels prometheus.Labels) {
	for _, gauge := range m.all() {
		gauge.DeletePartialMatch(labels)
	}
}

// overridden is the number of a group's overrides at a version of its table.
type overridden struct {
	version uint64
	count   int
}

// overrides returns how many of the group's instances an operator has changed.
func (g *group) overrides() int {
	if version := g.table.Version(); g.touched && g.overridden.version != version {
		g.overridden = overridden{version: version}
		for i := range g.table.Slots {
			if s := &g.table.Slots[i]; !s.ByAgent && s.Override() != "" {
				g.overridden.count++
			}
		}
	}
	return g.overridden.count
}

// measure sets the gauges of the groups whose figures changed, and arranges their
// histograms.
func (d *desired) measure() {
	for _, g := range d.rendered() {
		used := g.table.Used()
		g.available.noteUsed(used)
		now := figures{
			registered: len(g.registered()), up: g.available.up, draining: g.table.Leaving(), held: g.members.HeldCount(),
			damped: g.members.Damped(), skipped: g.members.Registered().Skipped, waiting: g.table.Beyond,
			overrides: g.overrides(), used: used, free: len(g.table.Slots) - used,
		}
		if g.shown != nil && *g.shown == now {
			continue
		}
		g.shown = &now
		d.opts.Metrics.groups.set(d.opts.Proxy, g.backend.Name, now)
	}
	d.arrangeLatencies()
}
