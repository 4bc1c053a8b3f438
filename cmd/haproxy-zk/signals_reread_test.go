package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// fakeVersion is an HAProxy that knows its version, and refuses a configuration
// that has "refused" in it.
const fakeVersion = `#!/bin/sh
case "$1" in
-v) echo "HA-Proxy version 2.2.9 2021/05/01" ;;
-c) if grep -q refused "$3"; then echo "no-such-keyword"; exit 1; fi ;;
esac
`

func TestRereading(t *testing.T) {
	dir := t.TempDir()
	haproxy, file := filepath.Join(dir, "haproxy"), filepath.Join(dir, "config.json")
	if err := os.WriteFile(haproxy, []byte(fakeVersion), 0o700); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	reaper, stop, err := startReaper(log)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	metrics := prometheus.NewRegistry()
	counted := func(result string) float64 {
		families, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range families[0].GetMetric() {
			if m.GetLabel()[0].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
		return -1
	}
	var taken []string
	r := newRereading(settings{Config: file, RunDir: dir}, log, metrics, reaper, func(_ context.Context, plans []*plan) (supervisor.Changes, error) {
		for _, pl := range plans {
			taken = append(taken, pl.Name)
		}
		return supervisor.Changes{}, nil
	})
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
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(tt.text, "HAPROXY", haproxy)), 0o600); err != nil {
				t.Fatal(err)
			}
			taken = nil
			r.reread(t.Context())
			if !slices.Equal(taken, tt.taken) {
				t.Errorf("taken %q, not %q", taken, tt.taken)
			}
		})
	}
	if ok, failed := counted("ok"), counted("error"); ok != 2 || failed != 5 {
		t.Errorf("counted %v ok and %v errors", ok, failed)
	}
	r.take = func(context.Context, []*plan) (supervisor.Changes, error) {
		return supervisor.Changes{}, supervisor.ErrEnded
	}
	r.reread(t.Context())
	if failed := counted("error"); failed != 5 {
		t.Error("a stop is counted as an error of the configuration")
	}
}

func TestProblemsAreToldApart(t *testing.T) {
	err := errors.Join(errors.New("one"), errors.Join(errors.New("two"), errors.New("three")))
	if got := problemsOf(err); !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("%q", got)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, []byte(`{"a": {"zk.addr": 5, "groups": [], "listener_port": 0}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := settings{Config: file, RunDir: dir}
	_, _, err = s.configuration()
	if got := problemsOf(err); len(got) < 3 {
		t.Errorf("%q", got)
	}
}
