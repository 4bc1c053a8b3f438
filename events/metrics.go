package events

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the metrics of this package.
type Metrics struct{ writes *prometheus.CounterVec }

// NewMetrics registers the metrics with reg; call it once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{writes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haproxyzk_event_writes_total",
		Help: "Writes of the recorded events in STATE_DIR, by result: ok, or error (retried).",
	}, []string{"result"})}
	for _, result := range []string{"ok", "error"} {
		m.writes.WithLabelValues(result)
	}
	reg.MustRegister(m.writes)
	return m
}

func (m *Metrics) count(err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.writes.WithLabelValues(result).Inc()
}
