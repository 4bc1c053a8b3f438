package syncer

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The results of a read.
const (
	resultOK      = "ok"
	resultMissing = "missing"
	resultDenied  = "denied"
	resultError   = "error"
)

// Metrics are this room's, of all proxies.
type Metrics struct {
	connected *prometheus.Desc
	heard     *prometheus.Desc
	sessions  *prometheus.CounterVec
	reads     *prometheus.CounterVec

	mu       sync.Mutex
	contacts map[string][]*contact // those that run, by proxy, in the order of their start
}

// NewMetrics registers the metrics with reg; call it once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		connected: prometheus.NewDesc("haproxyzk_zookeeper_connected",
			"1 while there is a session with a live connection.", []string{"proxy"}, nil),
		heard: prometheus.NewDesc("haproxyzk_zookeeper_last_contact_timestamp_seconds",
			"When ZooKeeper was last heard; 0 is never.", []string{"proxy"}, nil),
		sessions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_zookeeper_sessions_total",
			Help: "Sessions established; one that survives a reconnect counts once.",
		}, []string{"proxy"}),
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_zookeeper_reads_total",
			Help: "Reads of a group's path, by result: ok, missing (there is no such path), denied, error.",
		}, []string{"proxy", "result"}),
		contacts: make(map[string][]*contact),
	}
	reg.MustRegister(m.sessions, m.reads, gauges{m})
	return m
}

// counters are the counters of one proxy.
type counters struct {
	sessions prometheus.Counter
	reads    *prometheus.CounterVec // by result
}

// add begins to tell of c. While a proxy has two, as when its ZooKeeper moves,
// the later one is told of.
func (m *Metrics) add(proxy string, c *contact) counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.contacts[proxy] = append(m.contacts[proxy], c)
	reads := m.reads.MustCurryWith(prometheus.Labels{"proxy": proxy})
	for _, result := range []string{resultOK, resultMissing, resultDenied, resultError} {
		reads.WithLabelValues(result)
	}
	return counters{sessions: m.sessions.WithLabelValues(proxy), reads: reads}
}

// remove ends what add began. The series go with the last contact of the proxy.
func (m *Metrics) remove(proxy string, c *contact) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := slices.DeleteFunc(m.contacts[proxy], func(other *contact) bool { return other == c })
	m.contacts[proxy] = rest
	if len(rest) == 0 {
		delete(m.contacts, proxy)
		m.sessions.DeleteLabelValues(proxy)
		m.reads.DeletePartialMatch(prometheus.Labels{"proxy": proxy})
	}
}

// gauges reads the contacts when it is scraped.
type gauges struct{ m *Metrics }

// Describe implements [prometheus.Collector].
func (g gauges) Describe(descs chan<- *prometheus.Desc) {
	descs <- g.m.connected
	descs <- g.m.heard
}

// Collect implements [prometheus.Collector].
func (g gauges) Collect(metrics chan<- prometheus.Metric) {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	for proxy, contacts := range g.m.contacts {
		now := contacts[len(contacts)-1].get()
		connected, heard := 0.0, 0.0
		if now.Connected {
			connected = 1
		}
		if !now.Last.IsZero() {
			// By the clock as it is now: it may have been stepped since.
			heard = float64(time.Now().Add(-time.Since(now.Last)).Round(time.Millisecond).UnixMilli()) / 1000
		}
		metrics <- prometheus.MustNewConstMetric(g.m.connected, prometheus.GaugeValue, connected, proxy)
		metrics <- prometheus.MustNewConstMetric(g.m.heard, prometheus.GaugeValue, heard, proxy)
	}
}
