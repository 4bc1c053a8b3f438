package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/plan"
)

// Of the addresses of a new configuration, those of the last one and of the running HAProxy
// are this haproxy-zk's own.
func TestOnlyAddedAddressesAreTried(t *testing.T) {
	r := newRereads(t)
	f := newFactory(Options{RunDir: r.dir, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()}, nil, newStopping(), nil)
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	plans := func(port string) []*plan.Plan {
		t.Helper()
		r.write(fmt.Sprintf(`{"a": {"zk.addr": "zk:2181", "groups": {"g": {}}, "exec": "HAPROXY", "listener_port": %s, "conf_file": "DIR/a.cfg"}}`, port))
		cfg, _, err := r.read()
		if err != nil {
			t.Fatal(err)
		}
		all, err := r.opts.planProxies(t.Context(), r.reaper, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	before, after := plans("1"), plans(port)
	f.arranged.Store(&before)
	if err := f.vacant(t.Context(), after); err == nil || !strings.Contains(err.Error(), port+": address in use") {
		t.Errorf("an added address: %v", err)
	}
	given, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.vacant(given, after); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "a.cfg"), []byte("frontend f\n    bind :"+port+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.vacant(t.Context(), after); err != nil {
		t.Errorf("an address of the running HAProxy: %v", err)
	}
	if err := os.Remove(filepath.Join(r.dir, "a.cfg")); err != nil {
		t.Fatal(err)
	}
	f.arranged.Store(&after)
	if err := f.vacant(t.Context(), after); err != nil {
		t.Errorf("an address of the last configuration: %v", err)
	}
}
