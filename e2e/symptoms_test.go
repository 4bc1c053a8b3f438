package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// Each of several symptoms is the value of one metric, and all metrics keep Prometheus'
// conventions.
func TestSymptomsHaveMetrics(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"latency_histogram": true} })
		s.says("latency_histogram stays empty") // the template logs elsewhere
		file, err := s.config.Write(s.home)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.check(file); got.code != 0 || !strings.Contains(got.stdout, "latency_histogram stays empty: the template does not log to "+s.home+"/run/") {
			t.Errorf("check: %+v", got)
		}
		a, b := s.app(front), s.app(front)
		s.serves(front, a, b)
		web := fmt.Sprintf("group=%q", front)
		figures := func(skipped, up, overrides float64) func() error {
			return func() error {
				return errors.Join(
					s.counts(1, "haproxyzk_ready"),
					s.counts(1, "haproxyzk_haproxy_info", `version="`+h.Name),
					s.counts(2, "haproxyzk_instances_registered", web),
					s.counts(up, "haproxyzk_instances_up", web),
					s.counts(skipped, "haproxyzk_instances_skipped", web),
					s.counts(overrides, "haproxyzk_operator_overrides", web),
					s.counts(0, "haproxyzk_operator_overrides", fmt.Sprintf("group=%q", base)),
				)
			}
		}
		s.eventually("everything is well", figures(0, 2, 0))
		if err := s.registry.Register(s.node(front), "host.example:80"); err != nil {
			t.Fatal(err)
		}
		s.operate(0, front, a, "state drain")
		s.eventually("a bad name, and an instance drained by an operator", figures(1, 1, 1))
		s.reaches(1, "haproxyzk_socket_request_duration_seconds_count")
		s.reaches(2, "haproxyzk_zookeeper_watch_delay_seconds_count")
		for _, op := range []string{"children", "exists"} {
			s.reaches(1, "haproxyzk_zookeeper_request_duration_seconds_count", fmt.Sprintf("op=%q", op))
		}
		s.lint()
		s.stopped()
	})
}

// lint checks the conventions of the text format, and that OpenMetrics is offered.
func (s *stage) lint() {
	s.t.Helper()
	_, text := s.get("/metrics")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range problems {
		s.t.Errorf("%s: %s", p.Metric, p.Text)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.http+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text") || !strings.HasSuffix(string(body), "# EOF\n") || strings.Contains(string(body), "_created{") {
		s.t.Errorf("OpenMetrics is %q: %.200q", kind, body)
	}
}
