package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	monitoring = "../build/monitoring/"
	dashboard  = monitoring + "grafana/dashboards/haproxy-zk.json"
	unpacked   = "../bin/prometheus/" // by build/setup
)

// promtool runs promtool in the directory of the rules.
func promtool(t *testing.T, stdin io.Reader, args ...string) {
	t.Helper()
	program, err := filepath.Abs(unpacked + "promtool")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdin = monitoring, stdin
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

func TestAlertRules(t *testing.T) {
	t.Parallel()
	promtool(t, nil, "check", "config", "prometheus.yml")
	promtool(t, nil, "check", "rules", "alerts.yml", "slo.yml")
	promtool(t, nil, "test", "rules", "rules_test.yml", "rules_day_test.yml")
}

var (
	alertName = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
	runbook   = regexp.MustCompile(`(?m)^ +runbook_url: \S+/docs/troubleshooting\.md#(\S+)$`)
	ruleExpr  = regexp.MustCompile(`(?m)^ +expr: '(.+)'$`)
	heading   = regexp.MustCompile(`(?m)^## (.+)$`)
	ownMetric = regexp.MustCompile(`\bhaproxyzk_[a-z0-9_]+`)
)

func textOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every alert names a section of the troubleshooting page that exists, the monitoring page
// lists it, and a test of the rules has it fire.
func TestAlertsHaveRunbooks(t *testing.T) {
	t.Parallel()
	var anchors []string
	for _, m := range heading.FindAllStringSubmatch(textOf(t, "../docs/troubleshooting.md"), -1) {
		anchors = append(anchors, strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	page, tests := textOf(t, "../docs/monitoring.md"), textOf(t, monitoring+"rules_test.yml")+textOf(t, monitoring+"rules_day_test.yml")
	for _, file := range []string{"alerts.yml", "slo.yml"} {
		text := textOf(t, monitoring+file)
		alerts, runbooks := alertName.FindAllStringSubmatch(text, -1), runbook.FindAllStringSubmatch(text, -1)
		if len(alerts) == 0 || len(alerts) != len(runbooks) {
			t.Errorf("%s has %d alerts and %d runbooks", file, len(alerts), len(runbooks))
		}
		for i, m := range runbooks {
			if !slices.Contains(anchors, m[1]) {
				t.Errorf("%s: troubleshooting.md has no #%s: %q", alerts[i][1], m[1], anchors)
			}
		}
		for _, m := range alerts {
			if !strings.Contains(page, "`"+m[1]+"`") {
				t.Errorf("monitoring.md does not list %s", m[1])
			}
			if !strings.Contains(tests, m[1]) {
				t.Errorf("no test of the rules has %s fire", m[1])
			}
		}
	}
}

// dashboardExprs returns the expressions of the dashboard with its variables replaced as
// Grafana does.
func dashboardExprs(t *testing.T) (exprs []string) {
	t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct{ List []struct{ Definition string } }
	}
	if err := json.Unmarshal([]byte(textOf(t, dashboard)), &d); err != nil {
		t.Fatal(err)
	}
	replacer := strings.NewReplacer("$proxy", ".*", "$group", ".*", "$__rate_interval", "1m")
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			exprs = append(exprs, replacer.Replace(target.Expr))
		}
	}
	for _, v := range d.Templating.List {
		if inner, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			metric, _, _ := strings.Cut(replacer.Replace(inner), ", ")
			exprs = append(exprs, metric)
		}
	}
	if len(exprs) < 30 {
		t.Fatalf("%s has %d expressions", dashboard, len(exprs))
	}
	return exprs
}

// ruleExprs returns the expressions of the alerts and objectives.
func ruleExprs(t *testing.T) (exprs []string) {
	t.Helper()
	for _, file := range []string{"alerts.yml", "slo.yml"} {
		for _, m := range ruleExpr.FindAllStringSubmatch(textOf(t, monitoring+file), -1) {
			exprs = append(exprs, strings.ReplaceAll(m[1], "''", "'"))
		}
	}
	return exprs
}

// prometheus starts a Prometheus with our configuration that scrapes this daemon, and
// returns its address.
func (s *stage) prometheus() string {
	s.t.Helper()
	config := strings.ReplaceAll(textOf(s.t, monitoring+"prometheus.yml"), `"balancer-1:21000", "balancer-2:21000"`, fmt.Sprintf("%q", s.http))
	config = strings.ReplaceAll(config, "15s", "1s")
	folder := s.t.TempDir()
	for name, text := range map[string]string{"prometheus.yml": config, "alerts.yml": textOf(s.t, monitoring+"alerts.yml"), "slo.yml": textOf(s.t, monitoring+"slo.yml")} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	address := fmt.Sprintf("127.0.0.1:%d", s.port())
	cmd := exec.Command(unpacked+"prometheus", "--config.file="+folder+"/prometheus.yml", "--storage.tsdb.path="+folder+"/data", "--web.listen-address="+address, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return address
}

// query returns the number of series that Prometheus answers.
func query(address, expr string) (series int, err error) {
	client := http.Client{Timeout: within}
	response, err := client.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return 0, err
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s: %s", expr, answer.Error)
	}
	return len(answer.Data.Result), nil
}

// A real Prometheus scrapes a real daemon: its metrics keep the conventions, and every
// expression of the dashboard and the rules is valid and names metrics that exist.
func TestDashboardAndRulesFitTheMetrics(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"latency_histogram": true, "dir": t.TempDir()} })
		address := s.prometheus()
		a := s.app(front)
		s.serves(front, a)
		s.load(rig.Target{Path: "/", App: front})
		s.reaches(1, "haproxyzk_haproxy_info")
		_, metrics := s.get("/metrics")
		promtool(t, strings.NewReader(metrics), "check", "metrics")
		exprs := append(dashboardExprs(t), ruleExprs(t)...)
		for _, expr := range exprs {
			for _, name := range ownMetric.FindAllString(expr, -1) {
				if !strings.Contains(metrics, "\n"+name+"{") && !strings.Contains(metrics, "\n"+name+" ") && !strings.Contains(expr, "haproxyzk:") {
					t.Errorf("no %s in /metrics: %s", name, expr)
				}
			}
		}
		s.eventually("it is scraped", func() error {
			for _, expr := range []string{`up{job="haproxy-zk"} == 1`, `rate(haproxyzk_group_http_responses_total{code="2xx"}[1m]) > 0`, `haproxyzk:group_error_ratio:rate5m`} {
				if n, err := query(address, expr); err != nil || n == 0 {
					return fmt.Errorf("%s: %d series, %w", expr, n, err)
				}
			}
			return nil
		})
		empty := regexp.MustCompile(`haproxyzk_request_duration_seconds_bucket|haproxyzk_instance_up\{.*== 0$`)
		for _, expr := range exprs {
			n, err := query(address, expr)
			if err != nil {
				t.Errorf("%v", err)
			}
			if fromDashboard := slices.Contains(exprs[:len(exprs)-len(ruleExprs(t))], expr); fromDashboard && n == 0 && !empty.MatchString(expr) {
				t.Errorf("the dashboard shows nothing for %s", expr)
			}
		}
		s.stopped()
	})
}
