package syncer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// The results of a read.
const (
	resultOK      = "ok"
	resultMissing = "missing"
	resultDenied  = "denied"
	resultError   = "error"
)

// Metrics are the metrics of this package, for all proxies.
type Metrics struct {
	connected  *prometheus.Desc
	heard      *prometheus.Desc
	skipped    *prometheus.Desc
	persistent *prometheus.Desc
	sessions   *prometheus.CounterVec
	reads      *prometheus.CounterVec
	requests   *prometheus.HistogramVec
	delays     *prometheus.HistogramVec

	running intake.Running[shown]
}

// shown is the state behind the gauges of one syncer.
type shown struct {
	status *status
	notes  *intake.Notes
}

// NewMetrics registers the metrics with reg; call it once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		connected: prometheus.NewDesc("haproxyzk_zookeeper_connected",
			"1 while there is a session with a live connection.", []string{"proxy"}, nil),
		heard: prometheus.NewDesc("haproxyzk_zookeeper_last_contact_timestamp_seconds",
			"Time of the last contact with ZooKeeper; 0 if never.", []string{"proxy"}, nil),
		sessions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_zookeeper_sessions_total",
			Help: "Sessions established; a session that survives a reconnect counts once.",
		}, []string{"proxy"}),
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_zookeeper_reads_total",
			Help: "Reads of a group's path, by result: ok, missing (the path does not exist), denied, error.",
		}, []string{"proxy", "result"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "haproxyzk_zookeeper_request_duration_seconds",
			Help:    "Time from sending a request to ZooKeeper until all of its answer has arrived, by operation; a request without an answer is not counted. Pings are sent even when nothing changes.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15), // up to 8 s
		}, []string{"proxy", "op"}),
		delays: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "haproxyzk_zookeeper_watch_delay_seconds",
			Help:    "Time from the arrival of a watch's event until the list that it announces has been read. The time from the change until the event arrives is not included: ZooKeeper does not say when the change was made.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}, []string{"proxy"}),
		skipped: prometheus.NewDesc("haproxyzk_registrations_skipped",
			"Children in ZooKeeper that are not used, over all groups, by kind: the format of their names or what is wrong with them, refused (not admitted), or misplaced (beside a group's missing path).",
			[]string{"proxy", "kind"}, nil),
		persistent: prometheus.NewDesc("haproxyzk_instances_persistent",
			"Registered instances of a group, among its first 1,000, whose nodes are not ephemeral and so remain when the instances die.",
			[]string{"proxy", "group"}, nil),
	}
	reg.MustRegister(m.sessions, m.reads, m.requests, m.delays, gauges{m})
	return m
}

// counters are the counters of one proxy.
type counters struct {
	sessions prometheus.Counter
	reads    *prometheus.CounterVec         // by result
	requests map[uint32]prometheus.Observer // by operation
	delays   prometheus.Observer
}

// operationNames returns the label op of each operation that is sent.
func operationNames() map[uint32]string {
	return map[uint32]string{opCreate: "create", opExists: "exists", opGetData: "data", opPing: "ping", opGetChildren2: "children", opSetWatches: "set_watches", opMultiRead: "multi_read"}
}

// took records how long the answer to a request took.
func (n counters) took(operation uint32, d time.Duration) {
	if observer, known := n.requests[operation]; known {
		observer.Observe(d.Seconds())
	}
}

// add starts reporting c and ns. While a proxy has two syncers, for instance because its
// ZooKeeper changes, the later one is reported.
func (m *Metrics) add(proxy string, c *status, ns *intake.Notes) counters {
	m.running.Add(proxy, shown{c, ns})
	reads := m.reads.MustCurryWith(prometheus.Labels{"proxy": proxy})
	for _, result := range []string{resultOK, resultMissing, resultDenied, resultError} {
		reads.WithLabelValues(result)
	}
	requests := make(map[uint32]prometheus.Observer)
	for operation, name := range operationNames() {
		requests[operation] = m.requests.WithLabelValues(proxy, name)
	}
	return counters{sessions: m.sessions.WithLabelValues(proxy), reads: reads, requests: requests, delays: m.delays.WithLabelValues(proxy)}
}

// remove ends what add began. The series are removed with the last syncer of the proxy.
func (m *Metrics) remove(proxy string, c *status, ns *intake.Notes) {
	m.running.Remove(proxy, shown{c, ns}, func() {
		m.sessions.DeleteLabelValues(proxy)
		m.reads.DeletePartialMatch(prometheus.Labels{"proxy": proxy})
		m.requests.DeletePartialMatch(prometheus.Labels{"proxy": proxy})
		m.delays.DeleteLabelValues(proxy)
	})
}

// gauges reads the state of the running syncers when scraped.
type gauges struct{ m *Metrics }

// Describe implements [prometheus.Collector].
func (g gauges) Describe(descs chan<- *prometheus.Desc) {
	descs <- g.m.connected
	descs <- g.m.heard
	descs <- g.m.skipped
	descs <- g.m.persistent
}

// Collect implements [prometheus.Collector].
func (g gauges) Collect(metrics chan<- prometheus.Metric) {
	for proxy, last := range g.m.running.Latest() {
		g.registrations(metrics, proxy, last.notes.All())
		now := last.status.get()
		connected, heard := 0.0, 0.0
		if now.Connected {
			connected = 1
		}
		if !now.Last.IsZero() {
			// The wall clock may have been stepped since: convert at scrape time.
			heard = float64(time.Now().Add(-time.Since(now.Last)).Round(time.Millisecond).UnixMilli()) / 1000
		}
		metrics <- prometheus.MustNewConstMetric(g.m.connected, prometheus.GaugeValue, connected, proxy)
		metrics <- prometheus.MustNewConstMetric(g.m.heard, prometheus.GaugeValue, heard, proxy)
	}
}

// registrations reports the findings of a proxy's groups. Kinds and groups without any
// are 0.
func (g gauges) registrations(metrics chan<- prometheus.Metric, proxy string, groups []registry.Registrations) {
	count := make(map[registry.FindingKind]int)
	for _, r := range groups {
		persistent := 0
		for _, f := range r.Findings {
			count[f.Kind] += f.Count
			if f.Kind == registry.Persistent {
				persistent += f.Count
			}
		}
		if r.Group != registry.AllGroups {
			metrics <- prometheus.MustNewConstMetric(g.m.persistent, prometheus.GaugeValue, float64(persistent), proxy, r.Group)
		}
	}
	for _, kind := range append(skippedKinds(), registry.Misplaced) {
		metrics <- prometheus.MustNewConstMetric(g.m.skipped, prometheus.GaugeValue, float64(count[kind]), proxy, string(kind))
	}
}
