package config

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/decode"
)

// The example in the product's original specification.
func TestSeedFile(t *testing.T) {
	cfg, warnings, problems := load(t, "testdata/seed/web.config.json")
	if said := messages(problems, warnings); said != "" {
		t.Fatalf("messages:\n%s", said)
	}
	want := &Config{Proxies: []Proxy{{
		Name:      "ngboss",
		ZooKeeper: ZooKeeper{Servers: []string{"10.238.99.212:21810"}},
		Groups: []Group{
			{
				Name:           "web-ngboss",
				Path:           "/wade-web/web-ngboss/instances",
				Mode:           "http",
				HTTPCheck:      "GET /probe.jsp",
				ServerTemplate: "${group_name} 1-${max_server} ${ip_port} check inter 2000 rise 1 fall 2 disabled",
				MaxServer:      10,
				LossGuard:      100,
				Carry:          "slots",
				Decoding:       decode.Options{Format: decode.IPPort},
				DefaultBackend: true,
			},
			{
				Name:           "web-basecentre",
				Path:           "/wade-web/web-basecentre/instances",
				ACLs:           []string{"path_beg -i /basecentre", "path_beg -i /testcentre"},
				Mode:           "http",
				Balance:        "roundrobin",
				HTTPCheck:      "GET /basecentre/probe.jsp",
				ServerTemplate: "${group_name} 1-${max_server} 0.0.0.0:0 check inter 2000 rise 1 fall 2 disabled",
				MaxServer:      20,
				LossGuard:      100,
				Carry:          "slots",
				Decoding:       decode.Options{Format: decode.IPPort},
			},
		},
		Exec:     "/home/proxy/sbin/haproxy",
		Template: "/home/proxy/etc/haproxy.web.conf.template",
		ConfFile: "/home/proxy/etc/haproxy.web.ngboss.conf",
		PIDFile:  "/home/proxy/logs/haproxy.web.ngboss.pid",
		SocketFiles: []string{
			"/home/proxy/logs/haproxy.web.ngboss.socket1",
			"/home/proxy/logs/haproxy.web.ngboss.socket2",
		},
		ListenerPort:   8080,
		AdminPort:      20001,
		SessionTimeout: 10 * time.Second,
		HardStopAfter:  30 * time.Minute,
		ListenerHold:   2 * time.Second,
		StopGrace:      8 * time.Second,
	}}}
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// The two proxies of ten groups in the same document, in their order.
func TestCompleteFile(t *testing.T) {
	cfg, warnings, problems := load(t, "testdata/seed/complete.config.json")
	if said := messages(problems, warnings); said != "" {
		t.Fatalf("messages:\n%s", said)
	}
	shared := []string{
		"basecentre", "cpmcentre", "csfproxy", "customercentre", "invoicecentre",
		"iupc", "ordercentre", "resourcecentre", "treasury",
	}
	var want, got []string
	for _, first := range []string{"ngboss 8080 20001 web-ngboss", "ecbusi 8081 20002 web-ecgateway"} {
		want = append(want, first+" [] GET /probe.jsp true")
		for _, app := range shared {
			want = append(want, fmt.Sprintf("web-%s [path_beg -i /%s] GET /%s/probe.jsp false", app, app, app))
		}
	}
	for _, p := range cfg.Proxies {
		place := fmt.Sprintf("%s %d %d ", p.Name, p.ListenerPort, p.AdminPort)
		for _, g := range p.Groups {
			got = append(got, fmt.Sprintf("%s%s %v %s %v", place, g.Name, g.ACLs, g.HTTPCheck, g.DefaultBackend))
			place = ""
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}
