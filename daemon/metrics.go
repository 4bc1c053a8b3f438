package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// rereadingMetrics count the results of reading the configuration. The successful
// reading at the start counts as the first one.
type rereadingMetrics struct {
	total      *prometheus.CounterVec
	successful prometheus.Gauge
	at         prometheus.Gauge
}

func newRereadingMetrics(reg prometheus.Registerer) rereadingMetrics {
	m := rereadingMetrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_configuration_reads_total",
			Help: "Configuration reloads by result: ok, or error if nothing was changed.",
		}, []string{"result"}),
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "haproxyzk_config_last_reload_successful",
			Help: "Whether the last reading of the configuration was accepted: 1, or 0 while the previous configuration is in effect.",
		}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "haproxyzk_config_last_reload_success_timestamp_seconds",
			Help: "Time at which the configuration in effect was read, at the start or by a reload, in seconds since the epoch.",
		}),
	}
	for _, result := range []string{"ok", "error"} {
		m.total.WithLabelValues(result)
	}
	m.successful.Set(1)
	m.at.SetToCurrentTime()
	reg.MustRegister(m.total, m.successful, m.at)
	return m
}

func (m rereadingMetrics) succeeded() {
	m.at.SetToCurrentTime()
	m.successful.Set(1)
	m.total.WithLabelValues("ok").Inc()
}

func (m rereadingMetrics) failed() {
	m.successful.Set(0)
	m.total.WithLabelValues("error").Inc()
}

func reapedOrphans(reaper *supervisor.Reaper) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "haproxyzk_orphans_reaped_total",
		Help: "Processes reaped by haproxy-zk that it did not start itself, such as HAProxy's workers.",
	}, func() float64 { return float64(reaper.Orphans()) })
}
