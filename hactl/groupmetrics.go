package hactl

import (
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// groupMetrics are the gauges of the groups of all proxies. Their series are made for
// each scrape: a thousand groups have ten thousand, which would take 4.5 MB.
type groupMetrics struct {
	gauges []groupGauge

	mu   sync.Mutex
	last map[groupName]figures
}

// groupName is a group of a proxy.
type groupName struct{ proxy, group string }

// figures are the values of one group.
type figures struct{ registered, up, draining, held, damped, skipped, waiting, overrides, used, free int }

// groupGauge is one of the gauges that every group has.
type groupGauge struct {
	desc  *prometheus.Desc
	state string // the value of the label state; empty if the gauge does not have it
	of    func(figures) int
}

func newGroupMetrics(reg prometheus.Registerer) *groupMetrics {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"proxy", "group"}, more...), nil)
	}
	slots := desc("haproxyzk_slots", "Servers of a group's backend: used by an instance that is meant to serve, or free.", "state")
	m := &groupMetrics{last: make(map[groupName]figures), gauges: []groupGauge{
		{
			desc("haproxyzk_instances_registered",
				"Instances of a group that are registered in ZooKeeper and can be used, whether they are up or not."),
			"", func(f figures) int { return f.registered },
		},
		{
			desc("haproxyzk_instances_up",
				"Instances of a group that are up and take requests in every HAProxy worker; 0 while all requests of the group fail."),
			"", func(f figures) int { return f.up },
		},
		{
			desc("haproxyzk_instances_draining",
				"Deregistered instances of a group that still get the requests of their sticky sessions, until drain_timeout."),
			"", func(f figures) int { return f.draining },
		},
		{
			desc("haproxyzk_instances_held",
				"Deregistered instances of a group that the loss guard keeps in service."),
			"", func(f figures) int { return f.held },
		},
		{
			desc("haproxyzk_instances_damped",
				"Registered instances of a group that wait to be put into service because they are flapping."),
			"", func(f figures) int { return f.damped },
		},
		{
			desc("haproxyzk_instances_skipped",
				"Children of a group's path that are not used because their name is not ip:port or the address is not allowed."),
			"", func(f figures) int { return f.skipped },
		},
		{
			desc("haproxyzk_instances_waiting",
				"Registered instances of a group that have no server because the number of servers is at its limit."),
			"", func(f figures) int { return f.waiting },
		},
		{
			desc("haproxyzk_operator_overrides",
				"Instances of a group whose state, weight or agent check an operator has set; those with an agent check, which may have set it too, are not counted."),
			"", func(f figures) int { return f.overrides },
		},
		{slots, "used", func(f figures) int { return f.used }},
		{slots, "free", func(f figures) int { return f.free }},
	}}
	reg.MustRegister(m)
	return m
}

// Describe implements [prometheus.Collector].
func (m *groupMetrics) Describe(descs chan<- *prometheus.Desc) {
	for _, g := range m.gauges {
		descs <- g.desc
	}
}

// Collect implements [prometheus.Collector].
func (m *groupMetrics) Collect(metrics chan<- prometheus.Metric) {
	m.mu.Lock()
	last := maps.Clone(m.last) // the reader may be slow
	m.mu.Unlock()
	for name, f := range last {
		labels := []string{name.proxy, name.group}
		for _, g := range m.gauges {
			values := labels
			if g.state != "" {
				values = append(labels, g.state)
			}
			metrics <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, float64(g.of(f)), values...)
		}
	}
}

// set sets the gauges of a group.
func (m *groupMetrics) set(proxy, group string, f figures) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[groupName{proxy, group}] = f
}

// forget removes the series of a group.
func (m *groupMetrics) forget(proxy, group string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.last, groupName{proxy, group})
}

// forgetProxy removes the series of all groups of a proxy.
func (m *groupMetrics) forgetProxy(proxy string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.last, func(name groupName, _ figures) bool { return name.proxy == proxy })
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
func (d *desired) measure(groups []*group) {
	for _, g := range groups {
		used := g.table.Used()
		g.available.noteUsed(used)
		now := figures{
			registered: len(g.registered()), up: g.available.up, draining: g.table.Leaving(), held: g.members.HeldCount(),
			damped: g.members.Damped(), skipped: g.members.Registered().Skipped, waiting: g.table.Beyond,
			overrides: g.overrides(), used: used, free: g.freeServers(),
		}
		if g.shown && g.figures == now {
			continue
		}
		g.shown, g.figures = true, now
		d.opts.Metrics.groups.set(d.opts.Proxy, g.backend.Name, now)
	}
}
