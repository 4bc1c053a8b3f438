package hactl

import "github.com/prometheus/client_golang/prometheus"

// Metrics are this room's, of all proxies.
type Metrics struct {
	instances *prometheus.GaugeVec
	slots     *prometheus.GaugeVec
	apply     *prometheus.HistogramVec
	commands  *prometheus.CounterVec
	drift     *prometheus.CounterVec
	refused   *prometheus.CounterVec

	droppedLogs *prometheus.CounterVec
}

// NewMetrics registers the metrics with reg; call it once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_groups_refused_total",
			Help: "Discovered names that cannot be a group's, or that HAProxy does not accept; each time anew.",
		}, []string{"proxy"}),
		instances: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "haproxyzk_instances",
			Help: "Instances of a group: registered in ZooKeeper, serving in HAProxy, held although they left, damped because they come and go, draining because their sessions go on, skipped because their name is no ip:port.",
		}, []string{"proxy", "group", "state"}),
		slots: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "haproxyzk_slots",
			Help: "Servers of a group's backend, used and free.",
		}, []string{"proxy", "group", "state"}),
		apply: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "haproxyzk_apply_duration_seconds",
			Help:    "Time from a change seen in ZooKeeper to its being applied in all workers.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}, []string{"proxy"}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_commands_total",
			Help: "Commands sent to HAProxy's stats sockets, by result: ok or error.",
		}, []string{"proxy", "result"}),
		drift: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_drift_repaired_total",
			Help: "Servers that were found different from what had been confirmed, and repaired.",
		}, []string{"proxy"}),
	}
	m.droppedLogs = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxy_process_dropped_logs_total",
		Help: "Lines of its log that HAProxy could not send, of all workers.",
	}, []string{"proxy"})
	reg.MustRegister(m.instances, m.slots, m.apply, m.commands, m.drift, m.refused, m.droppedLogs)
	return m
}

// forget removes the series of one proxy.
func (m *Metrics) forget(proxy string) {
	labels := prometheus.Labels{"proxy": proxy}
	m.instances.DeletePartialMatch(labels)
	m.slots.DeletePartialMatch(labels)
	m.apply.DeletePartialMatch(labels)
	m.commands.DeletePartialMatch(labels)
	m.drift.DeletePartialMatch(labels)
	m.refused.DeletePartialMatch(labels)
	m.droppedLogs.DeletePartialMatch(labels)
}

// forgetGroup removes the series of one group.
func (m *Metrics) forgetGroup(proxy, group string) {
	labels := prometheus.Labels{"proxy": proxy, "group": group}
	m.instances.DeletePartialMatch(labels)
	m.slots.DeletePartialMatch(labels)
}
