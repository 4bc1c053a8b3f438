package main

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/hactl"
)

// planOf is a plan for the built-in template.
func planOf(t *testing.T, change func(*config.Proxy)) *plan {
	t.Helper()
	p := config.Proxy{
		Name: "web", Exec: "haproxy", ConfFile: "/run/web.cfg", PIDFile: "/run/web.pid", SocketFiles: []string{"/run/web.sock"},
		ListenerPort: 80, Groups: []config.Group{{Name: "app", Path: "/app", Mode: "http", Balance: "roundrobin", MaxServer: 3}},
	}
	if change != nil {
		change(&p)
	}
	pl := &plan{Proxy: p, executable: "/usr/sbin/haproxy"}
	pl.frame = hactl.Frame{Version: hactl.Version{Major: 2, Minor: 6}, Sockets: p.SocketFiles, PIDFile: p.PIDFile, ListenerPort: p.ListenerPort}
	for _, g := range p.Groups {
		pl.backends = append(pl.backends, hactl.Backend{
			Name: g.Name, Mode: g.Mode, Balance: g.Balance,
			Servers: hactl.ServerTemplate{Prefix: g.Name, First: 1, Last: g.MaxServer, Free: "0.0.0.0:0"},
		})
	}
	var err error
	if pl.template, err = pl.readTemplate(); err != nil {
		t.Fatal(err)
	}
	return pl
}

func TestWhatChangesAProxy(t *testing.T) {
	first := planOf(t, nil)
	if planOf(t, nil).fingerprint() != first.fingerprint() {
		t.Error("two equal plans have two fingerprints")
	}
	for _, tt := range []struct {
		name   string
		change func(*config.Proxy)
		fits   bool
	}{
		{"nothing", nil, true},
		{"a group", func(p *config.Proxy) { p.Groups[0].MaxServer = 4 }, true},
		{"a path", func(p *config.Proxy) { p.Groups[0].Path = "/other" }, true},
		{"ZooKeeper", func(p *config.Proxy) { p.ZooKeeper.Servers = []string{"zk:2181"} }, true},
		{"a secret", func(p *config.Proxy) { p.Admin = config.Admin{User: "u", Password: "one"} }, true},
		{"another secret", func(p *config.Proxy) { p.Admin = config.Admin{User: "u", Password: "two"} }, true},
		{"who reads", func(p *config.Proxy) { p.ZooKeeper.Auth = "one" }, true},
		{"TLS", func(p *config.Proxy) { p.ZooKeeper.TLS = &config.TLS{} }, true},
		{"a port", func(p *config.Proxy) { p.ListenerPort = 81 }, true},
		{"the grace", func(p *config.Proxy) { p.StopGrace = 5 }, true},
		{"discovery", func(p *config.Proxy) { p.Discover = &config.Discovery{Parent: "/", Entry: config.Group{Mode: "http"}} }, true},
		{"the pid file", func(p *config.Proxy) { p.PIDFile = "/run/other.pid" }, false},
		{"the sockets", func(p *config.Proxy) { p.SocketFiles = []string{"/run/1", "/run/2"} }, false},
		{"the file", func(p *config.Proxy) { p.ConfFile = "/run/other.cfg" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pl := planOf(t, tt.change)
			if same := pl.fingerprint() == first.fingerprint(); same != (tt.change == nil) {
				t.Errorf("the same: %t", same)
			}
			m := &room{}
			m.plan.Store(first)
			if fits := m.fits(pl); fits != tt.fits {
				t.Errorf("fits: %t", fits)
			}
		})
	}
	one, two := planOf(t, func(p *config.Proxy) { p.Admin = config.Admin{User: "u", Password: "one"} }), planOf(t, func(p *config.Proxy) { p.Admin = config.Admin{User: "u", Password: "two"} })
	if one.fingerprint() == two.fingerprint() {
		t.Error("the password does not count")
	}
	one, two = planOf(t, func(p *config.Proxy) { p.ZooKeeper.Auth = "one" }), planOf(t, func(p *config.Proxy) { p.ZooKeeper.Auth = "two" })
	if one.fingerprint() == two.fingerprint() {
		t.Error("the secret for ZooKeeper does not count")
	}
}

func TestRoomsAreKept(t *testing.T) {
	r := newRooms(settings{}, slog.New(slog.DiscardHandler), slog.New(slog.DiscardHandler), prometheus.NewRegistry(), nil, newStopping())
	named := func(name string, change func(*config.Proxy)) *plan {
		pl := planOf(t, change)
		pl.Name = name
		return pl
	}
	shown := func() (names []string) {
		for _, p := range r.board.proxies() {
			names = append(names, p.Snapshot().Proxy)
		}
		return names
	}
	set := r.arrange([]*plan{named("a", nil), named("b", nil)})
	if len(set) != 2 || set[0].Change != nil || set[1].Change != nil || !slices.Equal(shown(), []string{"a", "b"}) {
		t.Fatalf("the first: %v %q", set, shown())
	}
	a, b := r.kept["a"], r.kept["b"]
	place := r.board.place("a")

	other := named("a", func(p *config.Proxy) { p.ListenerPort = 81 })
	set = r.arrange([]*plan{named("c", nil), other, named("b", func(p *config.Proxy) { p.PIDFile = "/run/other" })})
	if !slices.Equal(shown(), []string{"c", "a", "b"}) || r.board.place("a") != place {
		t.Errorf("the board shows %q", shown())
	}
	if set[0].Change != nil || set[1].Change == nil || set[2].Change != nil {
		t.Error("another one can change")
	}
	if r.kept["a"] != a || r.kept["b"] == b {
		t.Error("other rooms are kept")
	}
	set[1].Change()
	set[1].Change() // nobody takes it yet
	if a.plan.Load() != other || len(a.changed) != 1 {
		t.Error("the room does not have its new plan")
	}
	if r.arrange(nil); len(shown()) != 0 || len(r.kept) != 0 {
		t.Errorf("the board still shows %q", shown())
	}
}
