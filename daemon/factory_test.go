package daemon

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
)

// planOf returns a plan for the built-in template.
func planOf(t *testing.T, change func(*config.Proxy)) *plan.Plan {
	t.Helper()
	p := config.Proxy{
		Name: "web", Exec: "haproxy", ConfFile: "/run/web.cfg", PIDFile: "/run/web.pid", SocketFiles: []string{"/run/web.sock"},
		ListenerPort: 80, Groups: []config.Group{{Name: "app", Path: "/app", Mode: "http", Balance: "roundrobin", MaxServer: 3}},
	}
	if change != nil {
		change(&p)
	}
	version := haproxy.Version{Major: 2, Minor: 6}
	template, err := haproxy.Builtin{Mode: "http", Version: version}.Template()
	if err != nil {
		t.Fatal(err)
	}
	return &plan.Plan{
		Proxy: p, Executable: "/usr/sbin/haproxy", Parsed: template,
		Frame: haproxy.Frame{Version: version, Sockets: p.SocketFiles, PIDFile: p.PIDFile, ListenerPort: p.ListenerPort},
		Backends: []haproxy.Backend{{
			Name: "app", Mode: "http", Balance: "roundrobin",
			Servers: haproxy.ServerTemplate{Prefix: "app", First: 1, Last: 3, Free: "0.0.0.0:0"},
		}},
	}
}

func TestUnchangedProxiesAreKept(t *testing.T) {
	r := newFactory(Options{RunDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()}, nil, newStopping(), nil)
	named := func(name string, change func(*config.Proxy)) *plan.Plan {
		pl := planOf(t, change)
		pl.Name = name
		return pl
	}
	shown := func() (names []string) {
		for _, p := range r.directory.proxies() {
			names = append(names, p.Snapshot().Proxy)
		}
		return names
	}
	set := r.arrange([]*plan.Plan{named("a", nil), named("b", nil)})
	if len(set) != 2 || set[0].Change != nil || set[1].Change != nil || !slices.Equal(shown(), []string{"a", "b"}) {
		t.Fatalf("the first: %v %q", set, shown())
	}
	a, b := r.kept["a"], r.kept["b"]
	entry := r.directory.entry("a")

	other := named("a", func(p *config.Proxy) { p.ListenerPort = 81 })
	set = r.arrange([]*plan.Plan{named("c", nil), other, named("b", func(p *config.Proxy) { p.PIDFile = "/run/other" })})
	if !slices.Equal(shown(), []string{"c", "a", "b"}) || r.directory.entry("a") != entry {
		t.Errorf("the directory shows %q", shown())
	}
	if set[0].Change != nil || set[1].Change == nil || set[2].Change != nil {
		t.Error("another one can change")
	}
	if r.kept["a"] != a || r.kept["b"] == b {
		t.Error("other proxies are kept")
	}
	set[1].Change()
	set[1].Change() // not taken by anything yet
	if a.plan.Load() != other || len(a.changed) != 1 {
		t.Error("the proxy does not have its new plan")
	}
	if r.arrange(nil); len(shown()) != 0 || len(r.kept) != 0 {
		t.Errorf("the directory still shows %q", shown())
	}
}
