package hactl

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the metrics of the package, for all proxies.
type Metrics struct {
	groups   *groupMetrics
	apply    *prometheus.HistogramVec
	commands *prometheus.CounterVec
	drift    *prometheus.CounterVec
	mapDrift *prometheus.CounterVec
	refused  *prometheus.CounterVec

	serversRefused *prometheus.CounterVec
	deletions      *prometheus.CounterVec
	backends       *prometheus.CounterVec
	configurations *prometheus.CounterVec

	droppedLogs *prometheus.CounterVec
	asked       *prometheus.HistogramVec
	info        *prometheus.GaugeVec
	latency     *prometheus.HistogramVec
	ignored     *prometheus.CounterVec
}

// NewMetrics registers the metrics with reg; call it once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		groups: newGroupMetrics(reg),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_groups_refused_total",
			Help: "Discovered names that cannot be groups or that HAProxy rejected; counted each time.",
		}, []string{"proxy"}),
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
	m.serversRefused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxyzk_servers_refused_total",
		Help: "Groups that got slots because HAProxy refused to add a server to them.",
	}, []string{"proxy"})
	m.deletions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxyzk_server_deletions_total",
		Help: "Attempts to delete servers of groups carried by servers, by result: deleted, busy (connections remain, tried again) or error.",
	}, []string{"proxy", "result"})
	m.backends = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxyzk_backend_changes_total",
		Help: "Backends of groups that were added or deleted without a reload, or that HAProxy refused, by change: added, deleted (both in each worker) or refused.",
	}, []string{"proxy", "change"})
	m.configurations = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxyzk_configuration_changes_total",
		Help: "Changed configurations of the proxy that are in service, by how HAProxy got them: reload, or live, without one.",
	}, []string{"proxy", "by"})
	m.droppedLogs = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxyzk_haproxy_log_lines_dropped_total",
		Help: "Log lines that HAProxy dropped, summed over all workers.",
	}, []string{"proxy"})
	m.asked = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "haproxyzk_socket_request_duration_seconds",
		Help:    "Time from connecting to a worker's stats socket until its last reply to the commands sent, or until that failed; a timeout is about 2.",
		Buckets: prometheus.ExponentialBuckets(0.00025, 2, 15), // up to 4 s
	}, []string{"proxy"})
	m.info = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "haproxyzk_haproxy_info",
		Help: "1 for each version of HAProxy that the serving processes say they are; the executable may be another one since.",
	}, []string{"proxy", "version"})
	m.latency = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "haproxyzk_request_duration_seconds",
		Help:    "Time from the first byte of a request to the last one of its answer (Ta), or of a connection in mode tcp (Tt), as HAProxy logged it, for groups with latency_histogram. Requests whose line HAProxy could not send or does not log are missing.",
		Buckets: []float64{0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60},
	}, []string{"proxy", "group"})
	m.ignored = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxyzk_request_log_lines_ignored_total",
		Help: "Lines of severity info in HAProxy's log that latency_histogram cannot use, because they have the format of neither httplog nor tcplog.",
	}, []string{"proxy"})
	reg.MustRegister(m.apply, m.commands, m.drift, m.mapDrift, m.refused, m.serversRefused, m.deletions, m.backends, m.configurations, m.droppedLogs, m.asked, m.info, m.latency, m.ignored)
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
	m.serversRefused.WithLabelValues(proxy)
	for _, result := range []string{resultDeleted, resultBusy, resultError} {
		m.deletions.WithLabelValues(proxy, result)
	}
	for _, change := range []string{backendAdded, backendDeleted, backendRefused} {
		m.backends.WithLabelValues(proxy, change)
	}
	for _, by := range []string{appliedByReload, appliedLive} {
		m.configurations.WithLabelValues(proxy, by)
	}
	m.droppedLogs.WithLabelValues(proxy)
	m.asked.WithLabelValues(proxy)
	m.ignored.WithLabelValues(proxy)
}

// forget removes the series of a proxy.
func (m *Metrics) forget(proxy string) {
	labels := prometheus.Labels{"proxy": proxy}
	m.groups.forgetProxy(proxy)
	m.apply.DeletePartialMatch(labels)
	m.commands.DeletePartialMatch(labels)
	m.drift.DeletePartialMatch(labels)
	m.mapDrift.DeletePartialMatch(labels)
	m.refused.DeletePartialMatch(labels)
	m.serversRefused.DeletePartialMatch(labels)
	m.deletions.DeletePartialMatch(labels)
	m.backends.DeletePartialMatch(labels)
	m.configurations.DeletePartialMatch(labels)
	m.droppedLogs.DeletePartialMatch(labels)
	m.asked.DeletePartialMatch(labels)
	m.info.DeletePartialMatch(labels)
	m.latency.DeletePartialMatch(labels)
	m.ignored.DeletePartialMatch(labels)
}

// took returns a function that records the duration of a request to a worker's socket.
func (m *Metrics) took(proxy string) func(time.Duration) {
	observer := m.asked.WithLabelValues(proxy)
	return func(d time.Duration) { observer.Observe(d.Seconds()) }
}
