package state

import "github.com/prometheus/client_golang/prometheus"

// Metrics are this room's, of all proxies.
type Metrics struct{ writes *prometheus.CounterVec }

// NewMetrics registers the metrics with reg; call it once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{writes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxyzk_state_writes_total",
		Help: "Writes of what is registered to STATE_DIR, by result: ok, or error and the file is as it was.",
	}, []string{"proxy", "result"})}
	reg.MustRegister(m.writes)
	return m
}

// add begins to tell of a proxy.
func (m *Metrics) add(proxy string) {
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

// forget removes the series of one proxy.
func (m *Metrics) forget(proxy string) {
	m.writes.DeletePartialMatch(prometheus.Labels{"proxy": proxy})
}
