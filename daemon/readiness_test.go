package daemon

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
)

// readyProxy is a running proxy in a state.
type readyProxy struct {
	query.Proxy
	snapshot registry.Snapshot
	problem  error
}

func (p *readyProxy) Snapshot() *registry.Snapshot { return &p.snapshot }
func (p *readyProxy) Ready() error                 { return p.problem }

func TestReadinessIsThatOfTheProxies(t *testing.T) {
	serves := &readyProxy{snapshot: registry.Snapshot{Proxy: "serves", Down: []string{"app"}, ReloadError: "no"}}
	hangs := &readyProxy{snapshot: registry.Snapshot{Proxy: "hangs"}, problem: errors.New("worker 12 does not answer")}
	waits := &readyProxy{snapshot: registry.Snapshot{Proxy: "waits", Waiting: []string{"app"}}}
	pending := newEntry(planOf(t, nil)).pending
	stopping := false
	reg := prometheus.NewRegistry()
	reg.MustRegister(newReadiness(func() []query.Proxy { return []query.Proxy{serves, hangs, waits, pending} }, func() bool { return stopping }))
	reported := func() map[string]float64 {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]float64)
		for _, m := range families[0].GetMetric() {
			got[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
		return got
	}
	if diff := cmp.Diff(map[string]float64{"serves": 1, "hangs": 0, "waits": 0, "web": 0}, reported()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	stopping = true
	if diff := cmp.Diff(map[string]float64{"serves": 0, "hangs": 0, "waits": 0, "web": 0}, reported()); diff != "" {
		t.Errorf("while stopping: -want +got\n%s", diff)
	}
}

// Scrapers that ask for it get OpenMetrics, in which counters have no extra series.
func TestMetricsAreOfferedAsOpenMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	newRereadingMetrics(reg)
	scrape := func(accept string) (contentType, text string) {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		stats.NewPage(reg, func() []*stats.Collector { return nil }).ServeHTTP(w, r)
		return w.Header().Get("Content-Type"), w.Body.String()
	}
	samples := func(text string) (lines []string) {
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "#") {
				name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
				lines = append(lines, name)
			}
		}
		return lines
	}
	kind, plain := scrape("text/plain;version=0.0.4")
	if !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		t.Errorf("the text format is %q", kind)
	}
	kind, open := scrape("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
	if !strings.HasPrefix(kind, "application/openmetrics-text; version=1.0.0") || !strings.HasSuffix(open, "# EOF\n") {
		t.Errorf("OpenMetrics is %q, ending in %q", kind, open[max(0, len(open)-20):])
	}
	if diff := cmp.Diff(samples(plain), samples(open)); diff != "" {
		t.Errorf("the series differ: -text +OpenMetrics\n%s", diff)
	}
}
