package plan

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// planOf returns a plan for the built-in template.
func planOf(t *testing.T, change func(*config.Proxy)) *Plan {
	t.Helper()
	p := config.Proxy{
		Name: "web", Exec: "haproxy", ConfFile: "/run/web.cfg", PIDFile: "/run/web.pid", SocketFiles: []string{"/run/web.sock"},
		ListenerPort: 80, Groups: []config.Group{{Name: "app", Path: "/app", Mode: "http", Balance: "roundrobin", MaxServer: 3}},
	}
	if change != nil {
		change(&p)
	}
	pl := &Plan{Proxy: p, Executable: "/usr/sbin/haproxy"}
	pl.Frame = haproxy.Frame{Version: haproxy.Version{Major: 2, Minor: 6}, Sockets: p.SocketFiles, PIDFile: p.PIDFile, ListenerPort: p.ListenerPort}
	for _, g := range p.Groups {
		pl.Backends = append(pl.Backends, haproxy.Backend{
			Name: g.Name, Mode: g.Mode, Balance: g.Balance,
			Servers: haproxy.ServerTemplate{Prefix: g.Name, First: 1, Last: g.MaxServer, Free: "0.0.0.0:0"},
		})
	}
	var err error
	if pl.Parsed, err = pl.readTemplate(); err != nil {
		t.Fatal(err)
	}
	return pl
}

func TestFingerprintAndFits(t *testing.T) {
	first := planOf(t, nil)
	if planOf(t, nil).Fingerprint() != first.Fingerprint() {
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
		{"the ZooKeeper user", func(p *config.Proxy) { p.ZooKeeper.Auth = "one" }, true},
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
			if same := pl.Fingerprint() == first.Fingerprint(); same != (tt.change == nil) {
				t.Errorf("the same: %t", same)
			}
			if fits := first.Fits(pl); fits != tt.fits {
				t.Errorf("fits: %t", fits)
			}
		})
	}
	one, two := planOf(t, func(p *config.Proxy) { p.Admin = config.Admin{User: "u", Password: "one"} }), planOf(t, func(p *config.Proxy) { p.Admin = config.Admin{User: "u", Password: "two"} })
	if one.Fingerprint() == two.Fingerprint() {
		t.Error("the password does not count")
	}
	one, two = planOf(t, func(p *config.Proxy) { p.ZooKeeper.Auth = "one" }), planOf(t, func(p *config.Proxy) { p.ZooKeeper.Auth = "two" })
	if one.Fingerprint() == two.Fingerprint() {
		t.Error("the secret for ZooKeeper does not count")
	}
}
