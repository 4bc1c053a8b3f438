package hactl

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// latencies has the histograms of the groups that want one; nil means that none does.
// Run arranges them, and the goroutine that reads HAProxy's log observes.
type latencies struct{ now atomic.Pointer[histograms] }

// histograms are immutable.
type histograms struct {
	byGroup map[string]prometheus.Observer
	ignored prometheus.Counter
}

// LogLine adds a line of HAProxy's log, without its header, to the histogram of its
// group, if that has one. It does not block, and any goroutine may call it at any time.
func (c *Controller) LogLine(line string, severity int) { c.desired.latencies.add(line, severity) }

func (l *latencies) add(line string, severity int) {
	h := l.now.Load()
	if h == nil {
		return
	}
	request, ok := haproxy.ParseRequest(line)
	switch observer := h.byGroup[request.Backend]; {
	case ok && observer != nil:
		observer.Observe(request.Took.Seconds())
	case !ok && severity == haproxy.RequestSeverity:
		h.ignored.Inc()
	}
}

// arrangeLatencies gives every group that wants one a histogram, and removes those of
// others.
func (d *desired) arrangeLatencies() {
	var before map[string]prometheus.Observer
	if h := d.latencies.now.Load(); h != nil {
		before = h.byGroup
	}
	wanted, missing := 0, false
	for _, g := range d.groups {
		if g.backend.LatencyHistogram {
			wanted++
			missing = missing || before[g.backend.Name] == nil
		}
	}
	if wanted == len(before) && !missing {
		return
	}
	now := make(map[string]prometheus.Observer, wanted)
	for _, g := range d.groups {
		if g.backend.LatencyHistogram {
			now[g.backend.Name] = d.opts.Metrics.latency.WithLabelValues(d.opts.Proxy, g.backend.Name)
		}
	}
	if wanted > 0 {
		d.latencies.now.Store(&histograms{now, d.opts.Metrics.ignored.WithLabelValues(d.opts.Proxy)})
	} else {
		d.latencies.now.Store(nil)
	}
	for group := range before {
		if now[group] == nil {
			d.opts.Metrics.latency.DeleteLabelValues(d.opts.Proxy, group)
		}
	}
}
