package hactl

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the metrics of the package, for all proxies.
type Metrics struct {
	instances *prometheus.GaugeVec
	up        *prometheus.GaugeVec
	slots     *prometheus.GaugeVec
	apply     *prometheus.HistogramVec
	commands  *prometheus.CounterVec
	drift     *prometheus.CounterVec
	mapDrift  *prometheus.CounterVec
	refused   *prometheus.CounterVec

	droppedLogs *prometheus.CounterVec
}

// NewMetrics registers the metrics with reg; call it once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_groups_refused_total",
			Help: "Discovered names that cannot be groups or that HAProxy rejected; counted each time.",
		}, []string{"proxy"}),
		instances: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "haproxyzk_instances",
			Help: "Instances of a group by state: registered in ZooKeeper, serving in HAProxy, held by the loss guard, damped while flapping, draining their sessions, skipped because their name is not ip:port or not allowed, waiting because the number of servers is at its limit.",
		}, []string{"proxy", "group", "state"}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "haproxyzk_instances_up",
			Help: "Instances of a group that are up and take requests in every HAProxy worker; 0 while all requests of the group fail.",
		}, []string{"proxy", "group"}),
		slots: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "haproxyzk_slots",
			Help: "Servers of a group's backend, used and free.",
		}, []string{"proxy", "group", "state"}),
		apply: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "haproxyzk_apply_duration_seconds",
			Help:    "Time from seeing a change in ZooKeeper until all workers have applied it.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}, []string{"proxy"}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_commands_total",
			Help: "Commands sent to HAProxy's stats sockets, by result: ok or error.",
		}, []string{"proxy", "result"}),
		drift: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_drift_repaired_total",
			Help: "Servers that differed from their confirmed state and were repaired.",
		}, []string{"proxy"}),
		mapDrift: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_map_drift_repaired_total",
			Help: "Entries of HAProxy's maps that differed from the configuration and were repaired.",
		}, []string{"proxy"}),
	}
	m.droppedLogs = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxyzk_haproxy_log_lines_dropped_total",
		Help: "Log lines that HAProxy dropped, summed over all workers.",
	}, []string{"proxy"})
	reg.MustRegister(m.instances, m.up, m.slots, m.apply, m.commands, m.drift, m.mapDrift, m.refused, m.droppedLogs)
	return m
}

// add initializes the series of a proxy with known labels to 0, so that rates see the
// first increase and alerts can distinguish 0 from a missing metric.
func (m *Metrics) add(proxy string) {
	for _, result := range []string{"ok", "error"} {
		m.commands.WithLabelValues(proxy, result)
	}
	m.apply.WithLabelValues(proxy)
	m.drift.WithLabelValues(proxy)
	m.mapDrift.WithLabelValues(proxy)
	m.refused.WithLabelValues(proxy)
	m.droppedLogs.WithLabelValues(proxy)
}

// forget removes the series of a proxy.
func (m *Metrics) forget(proxy string) {
	labels := prometheus.Labels{"proxy": proxy}
	m.instances.DeletePartialMatch(labels)
	m.up.DeletePartialMatch(labels)
	m.slots.DeletePartialMatch(labels)
	m.apply.DeletePartialMatch(labels)
	m.commands.DeletePartialMatch(labels)
	m.drift.DeletePartialMatch(labels)
	m.mapDrift.DeletePartialMatch(labels)
	m.refused.DeletePartialMatch(labels)
	m.droppedLogs.DeletePartialMatch(labels)
}

// forgetGroup removes the series of a group.
func (m *Metrics) forgetGroup(proxy, group string) {
	labels := prometheus.Labels{"proxy": proxy, "group": group}
	m.instances.DeletePartialMatch(labels)
	m.up.DeletePartialMatch(labels)
	m.slots.DeletePartialMatch(labels)
}
