package state

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the metrics of this package, for all proxies.
type Metrics struct{ writes *prometheus.CounterVec }

// NewMetrics registers the metrics with reg; call it once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{writes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxyzk_state_writes_total",
		Help: "Writes of the registration cache in STATE_DIR, by result: ok, or error (the file is unchanged).",
	}, []string{"proxy", "result"})}
	reg.MustRegister(m.writes)
	return m
}

// addProxy creates the series of a proxy.
func (m *Metrics) addProxy(proxy string) {
	for _, result := range []string{"ok", "error"} {
		m.writes.WithLabelValues(proxy, result)
	}
}

func (m *Metrics) count(proxy string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.writes.WithLabelValues(proxy, result).Inc()
}

// removeProxy removes the series of a proxy.
func (m *Metrics) removeProxy(proxy string) {
	m.writes.DeletePartialMatch(prometheus.Labels{"proxy": proxy})
}
