package supervisor

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the metrics of this package, for all proxies.
type Metrics struct {
	reloads     *prometheus.CounterVec
	workers     *prometheus.GaugeVec
	generations *prometheus.GaugeVec
	exits       *prometheus.CounterVec
	foreignLogs *prometheus.CounterVec
	listeners   *prometheus.GaugeVec
}

// NewMetrics registers the metrics with reg; call it once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_reloads_total",
			Help: "Starts and reloads of HAProxy, by cause and result: ok or error.",
		}, []string{"proxy", "cause", "result"}),
		workers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "haproxyzk_workers",
			Help: "HAProxy processes by state: running (serving) or draining (finishing connections).",
		}, []string{"proxy", "state"}),
		generations: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "haproxyzk_generations",
			Help: "Generations of HAProxy processes still alive: the serving one and those still draining.",
		}, []string{"proxy"}),
		exits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_worker_exits_total",
			Help: "Exits of HAProxy processes, by reason: drained (finished or stopped as requested), killed (did not end in time), died (crashed).",
		}, []string{"proxy", "reason"}),
		foreignLogs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_log_lines_foreign_total",
			Help: "Datagrams dropped because another user sent them to HAProxy's log socket.",
		}, []string{"proxy"}),
		listeners: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "haproxyzk_listeners_held",
			Help: "Listening sockets of HAProxy that are kept open for its replacement; 0 means that a crash refuses connections.",
		}, []string{"proxy"}),
	}
	reg.MustRegister(m.reloads, m.workers, m.generations, m.exits, m.foreignLogs, m.listeners)
	return m
}

// addProxy creates the series of a proxy with known labels at 0. A cause that is not
// listed gets its series when it occurs.
func (m *Metrics) addProxy(proxy string) {
	for _, cause := range []string{"start", "slots", "groups", "configuration", "signal", "worker died", "worker does not answer"} {
		for _, result := range []string{"ok", "error"} {
			m.reloads.WithLabelValues(proxy, cause, result)
		}
	}
	for _, state := range []string{"running", "draining"} {
		m.workers.WithLabelValues(proxy, state)
	}
	m.generations.WithLabelValues(proxy)
	for _, reason := range []string{"drained", "killed", "died"} {
		m.exits.WithLabelValues(proxy, reason)
	}
	m.foreignLogs.WithLabelValues(proxy)
	m.listeners.WithLabelValues(proxy)
}

// removeProxy removes the series of one proxy.
func (m *Metrics) removeProxy(proxy string) {
	labels := prometheus.Labels{"proxy": proxy}
	m.reloads.DeletePartialMatch(labels)
	m.workers.DeletePartialMatch(labels)
	m.generations.DeletePartialMatch(labels)
	m.exits.DeletePartialMatch(labels)
	m.foreignLogs.DeletePartialMatch(labels)
	m.listeners.DeletePartialMatch(labels)
}

// ForeignLog counts a datagram that another user sent to a proxy's log socket.
func (m *Metrics) ForeignLog(proxy string) { m.foreignLogs.WithLabelValues(proxy).Inc() }
