package files

import (
	"errors"
	"io/fs"

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
	readable *prometheus.Desc
	watched  *prometheus.Desc
	skipped  *prometheus.Desc
	reads    *prometheus.CounterVec

	running intake.Running[shown]
}

// shown is the state behind the gauges of one directory.
type shown struct {
	status *status
	notes  *intake.Notes
}

// NewMetrics registers the metrics with reg; call it once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		readable: prometheus.NewDesc("haproxyzk_directory_readable",
			"1 while the directory of the instances can be read.", []string{"proxy"}, nil),
		watched: prometheus.NewDesc("haproxyzk_directory_watched",
			"1 while inotify reports every change in the directory; otherwise changes are noticed by reading it again.", []string{"proxy"}, nil),
		skipped: prometheus.NewDesc("haproxyzk_directory_skipped",
			"Entries of the directory, and lines of lists, that are not used as instances, over all groups.", []string{"proxy"}, nil),
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_directory_reads_total",
			Help: "Reads of a group in the directory, by result: ok, missing (the directory does not exist), denied, error.",
		}, []string{"proxy", "result"}),
	}
	reg.MustRegister(m.reads, gauges{m})
	return m
}

// counters are the counters of one proxy.
type counters struct {
	reads *prometheus.CounterVec // by result
}

func (c counters) succeeded() { c.reads.WithLabelValues(resultOK).Inc() }

func (c counters) failed(err error) {
	result := resultError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		result = resultMissing
	case errors.Is(err, fs.ErrPermission):
		result = resultDenied
	}
	c.reads.WithLabelValues(result).Inc()
}

// add starts reporting a directory. While a proxy has two, because it changes, the later
// one is reported.
func (m *Metrics) add(proxy string, s *status, ns *intake.Notes) counters {
	m.running.Add(proxy, shown{s, ns})
	reads := m.reads.MustCurryWith(prometheus.Labels{"proxy": proxy})
	for _, result := range []string{resultOK, resultMissing, resultDenied, resultError} {
		reads.WithLabelValues(result)
	}
	return counters{reads}
}

// remove ends what add began. The series are removed with the last directory of the proxy.
func (m *Metrics) remove(proxy string, s *status, ns *intake.Notes) {
	m.running.Remove(proxy, shown{s, ns}, func() { m.reads.DeletePartialMatch(prometheus.Labels{"proxy": proxy}) })
}

// gauges reads the state of the running directories when scraped.
type gauges struct{ m *Metrics }

// Describe implements [prometheus.Collector].
func (g gauges) Describe(descs chan<- *prometheus.Desc) {
	descs <- g.m.readable
	descs <- g.m.watched
	descs <- g.m.skipped
}

// Collect implements [prometheus.Collector].
func (g gauges) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, proxy string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, proxy)
	}
	for proxy, last := range g.m.running.Latest() {
		gauge(g.m.readable, number(last.status.isConnected()), proxy)
		gauge(g.m.watched, number(last.status.isWatched()), proxy)
		gauge(g.m.skipped, float64(skipped(last.notes.Remarkable())), proxy)
	}
}

func skipped(all []registry.Registrations) (n int) {
	for _, r := range all {
		for _, f := range r.Findings {
			n += f.Count
		}
	}
	return n
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
