package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/accesslog"
	"github.com/haproxy-zk/haproxy-zk/check"
	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// fakeVersion is an HAProxy that knows its version, and rejects a configuration
// containing "refused" with an error that names the line.
const fakeVersion = `#!/bin/sh
case "$1" in
-v) echo "HA-Proxy version 2.2.9 2021/05/01" ;;
-c) line=$(grep -n refused "$3" | head -n 1 | cut -d : -f 1)
    if [ "$line" ]; then echo "[ALERT] 326/014550 (6972) : parsing [$3:$line] : unknown keyword 'refused'."; exit 1; fi
    if grep -q unresolved "$3"; then echo "[ALERT] 326/014550 (6972) : parsing [$3:1] : could not resolve address 'unresolved.example'."; exit 1; fi ;;
esac
`

// fakeTemplate has LINE on its fifth line.
const fakeTemplate = `global
$sockets
frontend public
    bind *:$listener_port
    LINE
$acl
$use_backend
$backend
`

// rereads is a rereading with a fake HAProxy.
type rereads struct {
	*rereading
	t             *testing.T
	dir           string
	file, haproxy string
	token         string
	registry      *prometheus.Registry
	taken         []string
	reported      []registry.Event
	occupied      error // of the addresses that plans add
}

func newRereads(t *testing.T) *rereads {
	t.Helper()
	dir := t.TempDir()
	r := &rereads{t: t, dir: dir, file: filepath.Join(dir, "config.json"), haproxy: filepath.Join(dir, "haproxy"), registry: prometheus.NewRegistry()}
	if err := os.WriteFile(r.haproxy, []byte(fakeVersion), 0o700); err != nil { //nolint:gosec // it is executed
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	reaper, stop, err := supervisor.StartReaper(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	r.rereading = newRereading(Options{
		AccessLog: accesslog.New(accesslog.Options{Where: accesslog.Off}),
		Config:    r.file, RunDir: dir, Configuration: r.read, Plans: check.Plans, Accept: check.Accept,
		Access: func() (*query.Access, error) { return query.AccessFiles{Token: r.token}.Load() },
		Logger: log, Metrics: r.registry,
	}, reaper, func(e registry.Event) { r.reported = append(r.reported, e) }, func(context.Context, []*plan.Plan) error { return r.occupied }, func(_ context.Context, plans []*plan.Plan, _ *query.Access) (supervisor.Changes, error) {
		for _, pl := range plans {
			r.taken = append(r.taken, pl.Name)
		}
		return supervisor.Changes{Changed: r.taken}, nil
	})
	return r
}

// read reads the configuration.
func (r *rereads) read() (*config.Config, []config.Problem, error) {
	text, err := os.ReadFile(r.file)
	if err != nil {
		return nil, nil, err
	}
	cfg, warnings, err := config.Load(r.file, text, config.Environment{RunDir: r.dir, ReadFile: os.ReadFile, CheckLine: plan.CheckLine, Lookup: os.LookupEnv})
	if err != nil {
		err = exitcode.NewUsageError(err)
	}
	return cfg, warnings, err
}

// write writes the configuration, replacing HAPROXY and DIR.
func (r *rereads) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.file, []byte(strings.NewReplacer("HAPROXY", r.haproxy, "DIR", r.dir).Replace(text)), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// writeTemplate writes the template with this fifth line.
func (r *rereads) writeTemplate(line string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, "t"), []byte(strings.Replace(fakeTemplate, "LINE", line, 1)), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// metric returns the value of a sample; label is the value of its only label, or empty.
func (r *rereads) metric(name, label string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	r.t.Fatalf("no metric %s", name)
	return 0
}

func TestRereading(t *testing.T) {
	r := newRereads(t)
	for _, tt := range []struct {
		name, text string
		taken      []string
	}{
		{"right", `{"a": {"zk.addr": "zk:2181", "groups": {"g": {}}, "exec": "HAPROXY"}}`, []string{"a"}},
		{"no JSON", `{"a": `, nil},
		{"a wrong value", `{"a": {"zk.addr": "zk:2181", "groups": {}, "listener_port": 0}}`, nil},
		{"a template that is not there", `{"a": {"zk.addr": "zk:2181", "groups": {}, "exec": "HAPROXY", "template": "/nowhere"}}`, nil},
		{"no HAProxy", `{"a": {"zk.addr": "zk:2181", "groups": {}, "exec": "/nowhere"}}`, nil},
		{"refused by HAProxy", `{"a": {"zk.addr": "zk:2181", "groups": {"refused": {}}, "exec": "HAPROXY"}}`, nil},
		{"right again", `{"a": {"zk.addr": "zk:2181", "groups": {"g": {}}, "exec": "HAPROXY"}}`, []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.write(tt.text)
			r.taken = nil
			r.reread(t.Context())
			if !slices.Equal(r.taken, tt.taken) {
				t.Errorf("taken %q, not %q", r.taken, tt.taken)
			}
		})
	}
	const reads = "haproxyzk_configuration_reads_total"
	if ok, failed := r.metric(reads, "ok"), r.metric(reads, "error"); ok != 2 || failed != 5 {
		t.Errorf("counted %v ok and %v errors", ok, failed)
	}
	var kinds []registry.EventKind
	for _, e := range r.reported {
		if kinds = append(kinds, e.Kind); e.Detail == "" {
			t.Errorf("an event without particulars: %v", e)
		}
	}
	const accepted, rejected = registry.EventConfigurationAccepted, registry.EventConfigurationRejected
	if !slices.Equal(kinds, []registry.EventKind{accepted, rejected, rejected, rejected, rejected, rejected, accepted}) {
		t.Errorf("events %v", kinds)
	}
	// The files of the HTTP port belong to the configuration.
	r.taken, r.token = nil, "/nowhere"
	r.reread(t.Context())
	if text, _ := r.problem(); len(r.taken) > 0 || !strings.Contains(text, "HTTP_TOKEN_FILE") {
		t.Errorf("taken %q with a token file that is not there: %s", r.taken, text)
	}
	r.token = ""
	r.reread(t.Context())
	r.take = func(context.Context, []*plan.Plan, *query.Access) (supervisor.Changes, error) {
		return supervisor.Changes{}, supervisor.ErrEnded
	}
	r.reread(t.Context())
	if failed := r.metric(reads, "error"); failed != 6 {
		t.Error("a stop is counted as an error of the configuration")
	}
	if text, _ := r.problem(); text != "" {
		t.Errorf("a stop is reported as an error of the configuration: %s", text)
	}
}

func TestReadFailureIsReportedUntilSuccess(t *testing.T) {
	const successful, at = "haproxyzk_config_last_reload_successful", "haproxyzk_config_last_reload_success_timestamp_seconds"
	const right = `{"a": {"zk.addr": "zk:2181", "groups": {"g": {}}, "exec": "HAPROXY"}}`
	r := newRereads(t)
	start := r.metric(at, "")
	if age := time.Now().Unix() - int64(start); r.metric(successful, "") != 1 || age < 0 || age > 60 {
		t.Errorf("at the start: %v, %d s ago", r.metric(successful, ""), age)
	}
	r.write(`{"a": `)
	r.reread(t.Context())
	first, since := r.problem()
	if !strings.Contains(first, r.file) || since.IsZero() || r.metric(successful, "") != 0 || r.metric(at, "") != start {
		t.Errorf("after a failure: %q since %v", first, since)
	}
	r.write(`{"a": {"zk.addr": "zk:2181", "groups": {}, "listener_port": 0}}`)
	r.reread(t.Context())
	if second, still := r.problem(); !strings.Contains(second, "a.listener_port") || !still.Equal(since) {
		t.Errorf("after another one: %q since %v, the first since %v", second, still, since)
	}
	r.write(right)
	r.reread(t.Context())
	if text, since := r.problem(); text != "" || !since.IsZero() || r.metric(successful, "") != 1 || r.metric(at, "") <= start {
		t.Errorf("after a success: %q since %v", text, since)
	}
}

func TestRejectedTemplateIsReportedWithItsLine(t *testing.T) {
	for _, tt := range []struct {
		name, line, want string
		wrong            bool
	}{
		{"HAProxy refuses a line", "refused", "DIR/t:5: HAProxy: unknown keyword 'refused'.; correct the line: refused", true},
		{"a reason that may pass", "unresolved", "could not resolve address", false},
		{"a placeholder that has no place there", "$backend more", "DIR/t:5: ", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRereads(t)
			r.write(`{"a": {"zk.addr": "zk:2181", "groups": {"g": {"default_backend": true}}, "exec": "HAPROXY", "template": "DIR/t"},
				"b": {"zk.addr": "zk:2181", "groups": {}, "exec": "HAPROXY", "template": "DIR/t", "listener_port": 8081, "admin_port": 20002}}`)
			r.writeTemplate(tt.line)
			err := r.reread(t.Context()).err
			if err == nil {
				t.Fatal("it was accepted")
			}
			if want := strings.ReplaceAll(tt.want, "DIR", r.dir); !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "refused'") > 1 {
				t.Errorf("%q, want %q once", err, want)
			}
			if errors.Is(err, control.ErrInvalid) != tt.wrong {
				t.Errorf("a wrong configuration: %t, want %t", !tt.wrong, tt.wrong)
			}
			if strings.Contains(err.Error(), ".cfg:") {
				t.Errorf("it names the rendered file: %s", err)
			}
		})
	}
}

func TestOccupiedAddressIsRejected(t *testing.T) {
	r := newRereads(t)
	r.write(`{"a": {"zk.addr": "zk:2181", "groups": {"g": {}}, "exec": "HAPROXY"}}`)
	r.occupied = errors.New("cannot listen on :80: address in use")
	err := r.reread(t.Context()).err
	if err == nil || !strings.Contains(err.Error(), r.occupied.Error()) || errors.Is(err, control.ErrInvalid) || len(r.taken) > 0 {
		t.Errorf("%v, taken: %q", err, r.taken)
	}
	r.occupied = nil
	if err := r.reread(t.Context()).err; err != nil {
		t.Error(err)
	}
}

func TestReloadWaitsForItsOwnReading(t *testing.T) {
	r := newRereads(t)
	r.write(`{"a": {"zk.addr": "zk:2181", "groups": {"g": {}}, "exec": "HAPROXY"}}`)
	given, cancelGiven := context.WithCancel(t.Context())
	cancelGiven()
	if _, err := r.readAndWait(given); !errors.Is(err, context.Canceled) {
		t.Errorf("nothing reads yet: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.run(ctx) })
	if summary, err := r.readAndWait(t.Context()); summary != "changed: a" || err != nil {
		t.Errorf("%q, %v", summary, err)
	}
	r.write(`{"a": {"zk.addr": "zk:2181", "groups": {}, "listener_port": 0}}`)
	if _, err := r.readAndWait(t.Context()); !errors.Is(err, control.ErrInvalid) || !strings.Contains(err.Error(), "a.listener_port") {
		t.Error(err)
	}
	cancel()
	running.Wait()
	if _, err := r.readAndWait(t.Context()); !errors.Is(err, supervisor.ErrEnded) {
		t.Errorf("while it stops: %v", err)
	}
}

func TestFailureIsBoundedAndPrintable(t *testing.T) {
	var many []error
	for i := range 50 {
		many = append(many, fmt.Errorf("%d: a\x1b[2J\nb %s", i, strings.Repeat("é", 3000)))
	}
	f := newFailure(errors.Join(many...), nil)
	lines := strings.Split(f.Error(), "\n")
	if len(lines) != maxProblems+1 || !strings.HasPrefix(lines[maxProblems], "30 more problems") {
		t.Errorf("%d lines, the last %.100q", len(lines), lines[len(lines)-1])
	}
	for _, line := range lines {
		if len(line) > maxMessage || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%d bytes: %.100q", len(line), line)
		}
	}
}

func TestProblemsAreSplit(t *testing.T) {
	err := errors.Join(errors.New("one"), errors.Join(errors.New("two"), errors.New("three")))
	if got := problemsOf(err); !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("%q", got)
	}
	r := newRereads(t)
	r.write(`{"a": {"zk.addr": 5, "groups": [], "listener_port": 0}}`)
	_, _, err = r.read()
	if got := problemsOf(err); len(got) < 3 {
		t.Errorf("%q", got)
	}
}
