package hactl

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// requestOf is a line of HAProxy's log for a request that took 70 ms.
func requestOf(group string) string {
	return "127.0.0.1:36904 [29/Nov/2026:20:12:14.655] public " + group + `/web1 0/0/1/69/70 200 2750 - - ---- 1/1/1/1/0 0/0 "GET /index.html?with=a&query=of&some=length HTTP/1.1"`
}

// measuredBackend returns a backend with a histogram.
func measuredBackend(name string) haproxy.Backend {
	b := backendOf(name, 2)
	b.LatencyHistogram = true
	return b
}

func TestRequestsAreCountedByGroup(t *testing.T) {
	t.Parallel()
	s := newStory(t, measuredBackend("web"), backendOf("api", 2), measuredBackend("shop"))
	s.set("web", 1)
	s.set("api", 2)
	s.set("shop")
	s.LogLine(requestOf("web"), 6) // too early
	s.launch(t)
	s.reportAll()
	for range 2 {
		s.LogLine(requestOf("web"), 6)
	}
	s.LogLine(requestOf("web"), 3) // option log-separate-errors
	for _, group := range []string{"api", "unknown", "public"} {
		s.LogLine(requestOf(group), 6)
	}
	counted := func(group string) float64 { return s.metric(t, "haproxyzk_request_duration_seconds", "ngboss", group) }
	same(t, "of web", 3.0, counted("web"))
	same(t, "of a group without a histogram", 0.0, counted("api"))
	same(t, "of no group", 0.0, counted("unknown"))
	ignored := func() float64 { return s.metric(t, "haproxyzk_request_log_lines_ignored_total", "ngboss") }
	same(t, "ignored, before there is anything to ignore", 0.0, ignored())
	s.LogLine("Server web/web1 is UP, reason: Layer4 check passed", 5)
	same(t, "ignored, of lines about servers", 0.0, ignored())
	s.LogLine("Connect from 127.0.0.1:36904 to 127.0.0.1:8080 (public/HTTP)", 6)
	same(t, "ignored", 1.0, ignored())
	if n := histogramSeries(t, s.reg); n != 2 {
		t.Errorf("%d groups have a histogram", n)
	}
}

// A histogram begins and ends with its group and with the key.
func TestHistogramFollowsItsGroup(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.with(func(o *Options) {
		o.Discover = func(name string) (haproxy.Backend, error) {
			b := measuredBackend(name)
			b.Servers.Params = nil // nothing is held
			return b, nil
		}
	})
	s.find("web", "api")
	s.set("web", 1)
	s.set("api", 2)
	s.launch(t)
	s.reportAll()
	if n := histogramSeries(t, s.reg); n != 2 {
		t.Errorf("%d groups have a histogram", n)
	}
	s.LogLine(requestOf("web"), 6)
	s.find("web")
	s.set("api")
	s.step(t.Context())
	s.passes(emptyFor)
	s.retire()
	if err := s.replaceGeneration(t.Context(), s.wanted()); err != nil {
		t.Fatal(err)
	}
	s.reportAll()
	s.LogLine(requestOf("api"), 6)
	if n := histogramSeries(t, s.reg); n != 1 {
		t.Errorf("%d groups have a histogram once one is gone", n)
	}
	same(t, "of the other group", 1.0, s.metric(t, "haproxyzk_request_duration_seconds", "ngboss", "web"))
	for _, g := range s.desired.groups {
		g.backend.LatencyHistogram = false
	}
	s.reportAll()
	s.LogLine(requestOf("web"), 6)
	if n := histogramSeries(t, s.reg); n != 0 {
		t.Errorf("%d groups have a histogram once none wants one", n)
	}
}

func histogramSeries(t *testing.T, reg *prometheus.Registry) int {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "haproxyzk_request_duration_seconds" {
			return len(f.GetMetric())
		}
	}
	return 0
}

// BenchmarkLogLine measures what the histogram costs for each line of HAProxy's log, among
// a thousand groups.
func BenchmarkLogLine(b *testing.B) {
	reg := prometheus.NewRegistry()
	o := Options{Proxy: "p", Metrics: NewMetrics(reg), Logger: slog.New(slog.DiscardHandler), Template: builtin(b)}
	for i := range 1000 {
		o.Backends = append(o.Backends, measuredBackend(fmt.Sprintf("group-%d", i)))
	}
	c := New(o)
	c.desired.arrangeLatencies()
	for name, line := range map[string]string{
		"request":       requestOf(o.Backends[500].Name),
		"other backend": requestOf("unknown"),
		"other line":    "Server web/web1 is UP, reason: Layer4 check passed, check duration: 0ms.",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.LogLine(line, 6)
			}
		})
	}
}
