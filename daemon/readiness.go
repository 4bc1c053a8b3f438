package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/query"
)

// readiness reports at every scrape which proxies are ready, as /readyz does. A proxy
// has its series as soon as it is configured.
type readiness struct {
	ready    *prometheus.Desc
	proxies  func() []query.Proxy
	stopping func() bool
}

func newReadiness(proxies func() []query.Proxy, stopping func() bool) readiness {
	return readiness{
		ready: prometheus.NewDesc("haproxyzk_ready",
			"1 if every worker of the proxy answers and every group was read or came from the cache; 0 otherwise, and once haproxy-zk is stopping.",
			[]string{"proxy"}, nil),
		proxies:  proxies,
		stopping: stopping,
	}
}

// Describe implements [prometheus.Collector].
func (r readiness) Describe(descs chan<- *prometheus.Desc) { descs <- r.ready }

// Collect implements [prometheus.Collector].
func (r readiness) Collect(metrics chan<- prometheus.Metric) {
	stopping := r.stopping()
	for _, p := range r.proxies() {
		value := 0.0
		if !stopping && query.IsReady(p) {
			value = 1
		}
		metrics <- prometheus.MustNewConstMetric(r.ready, prometheus.GaugeValue, value, p.Snapshot().Proxy)
	}
}
