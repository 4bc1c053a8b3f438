package stats

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the package's own metrics, for all proxies.
type Metrics struct{ reads *prometheus.CounterVec }

// NewMetrics registers the metrics with reg; call it once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{reads: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxyzk_statistics_reads_total",
		Help: "Readings of the statistics of a HAProxy worker, by result: ok, or error if it did not answer and its figures are missing.",
	}, []string{"proxy", "result"})}
	reg.MustRegister(m.reads)
	return m
}

func (m *Metrics) count(proxy string, ok, failed int) {
	m.reads.WithLabelValues(proxy, "ok").Add(float64(ok))
	m.reads.WithLabelValues(proxy, "error").Add(float64(failed))
}

// Forget removes the series of a proxy.
func (m *Metrics) Forget(proxy string) {
	m.reads.DeletePartialMatch(prometheus.Labels{"proxy": proxy})
}
