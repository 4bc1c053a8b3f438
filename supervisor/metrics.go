package supervisor

import "github.com/prometheus/client_golang/prometheus"

// Metrics are this room's, of all proxies.
type Metrics struct {
	reloads     *prometheus.CounterVec
	workers     *prometheus.GaugeVec
	generations *prometheus.GaugeVec
	exits       *prometheus.CounterVec
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
			Help: "HAProxy processes: running ones serve, draining ones finish their connections.",
		}, []string{"proxy", "state"}),
		generations: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "haproxyzk_generations",
			Help: "Starts and reloads of HAProxy of which a process lives: the one that serves and those that finish their connections.",
		}, []string{"proxy"}),
		exits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_worker_exits_total",
			Help: "Ends of HAProxy processes, by reason: drained or stopped as asked, killed because they did not end in time, died by themselves.",
		}, []string{"proxy", "reason"}),
	}
	reg.MustRegister(m.reloads, m.workers, m.generations, m.exits)
	return m
}

// forget removes the series of one proxy.
func (m *Metrics) forget(proxy string) {
	labels := prometheus.Labels{"proxy": proxy}
	m.reloads.DeletePartialMatch(labels)
	m.workers.DeletePartialMatch(labels)
	m.generations.DeletePartialMatch(labels)
	m.exits.DeletePartialMatch(labels)
}
