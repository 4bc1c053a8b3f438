package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestServerTLS(t *testing.T) {
	env := environment()
	env.ReadFile = tlsFiles(t)
	load := func(group string) (*Config, []Problem, error) {
		return Load("f", []byte(fmt.Sprintf(`{"web": {"zk.addr": "zk1:2181", "zk.format": "curator", "groups": {%s}}}`, group)), env)
	}
	const template = `"server-template": "${group_name} 1-${max_server} ${ip_port} check ssl verify none disabled"`
	for group, want := range map[string]*ServerTLS{
		`"a": {}`: nil,
		`"a": {"server_tls": {"ca": "/tls/ca.pem"}}`:                                                {CA: "/tls/ca.pem"},
		`"a": {"server_tls": {"ca": "/tls/ca.pem", "verify": "required", "cert": "/tls/both.pem"}}`: {CA: "/tls/ca.pem", Cert: "/tls/both.pem"},
		`"a": {"server_tls": {"verify": "none", "server_name": "x.local"}}`:                         {ServerName: "x.local"},
		`"a": {"protocol": "https", "server_tls": {"ca": "/tls/ca.pem"}}`:                           {CA: "/tls/ca.pem"},
		`"a": {"server_tls": {"ca": "/tls/ca.pem", "server_name": "${app}.local"}}`:                 {CA: "/tls/ca.pem", ServerName: "a.local"},
		`"a": {"protocol": "https", ` + template + `}`:                                              nil,
		`"a": {"port_name": "sslPort", "lines": ["default-server ssl verify none"]}`:                nil,
	} {
		cfg, problems, err := load(group)
		if err != nil || len(problems) > 0 {
			t.Errorf("%s: %v %v", group, err, problems)
			continue
		}
		g := cfg.Proxies[0].Groups[0]
		if d := cmp.Diff(want, g.TLS); d != "" {
			t.Errorf("%s: -want +got\n%s", group, d)
		}
		if speaks := group != `"a": {}`; g.Decoding.TLS != speaks {
			t.Errorf("%s: instances are read for TLS: %v", group, g.Decoding.TLS)
		}
	}
	for group, says := range map[string]string{
		`"a": {"server_tls": {}}`:                                                   "server_tls.ca: without a CA anyone could pose as an instance",
		`"a": {"server_tls": {"server_name": "x.local"}}`:                           "without a CA",
		`"a": {"server_tls": {"verify": "none", "ca": "/tls/ca.pem"}}`:              "no effect with verify none",
		`"a": {"server_tls": {"verify": "optional"}}`:                               `"optional" is not known`,
		`"a": {"server_tls": {"ca": "/tls/none.pem"}}`:                              "cannot be used",
		`"a": {"server_tls": {"ca": "/tls/odd.pem"}}`:                               "no certificate in PEM",
		`"a": {"server_tls": {"ca": "/tls/c a.pem"}}`:                               "not one word",
		`"a": {"server_tls": {"verify": "none", "cert": "/tls/cert.pem"}}`:          "cannot be used",
		`"a": {"server_tls": {"verify": "none", "server_name": "10.0.0.5"}}`:        "not the name of a host",
		`"a": {"server_tls": {"verify": "none", "server_name": "a) ssl"}}`:          "not the name of a host",
		`"a": {"server_tls": true}`:                                                 "found a boolean",
		`"a": {"server_tls.ca": "/tls/ca.pem"}`:                                     "a key of the object server_tls",
		`"a": {"server_tls": {"verify": "none"}, ` + template + `}`:                 "have `ssl` already",
		`"a": {"protocol": "HTTPS"}`:                                                "protocol: it chooses a port for TLS, but HAProxy would connect to it in clear text",
		`"a": {"port_name": "sslPort"}`:                                             "port_name: it chooses a port for TLS",
		`"*": {"protocol": "https"}`:                                                "in clear text",
		`"a": {"protocol": "https", ` + template + `, "lines": ["default-server"]}`: "",
	} {
		_, _, err := load(group)
		if says == "" {
			if err != nil {
				t.Errorf("%s: %v", group, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v does not say %q", group, err, says)
		}
	}
}

func TestServerTLSOfDiscoveredGroups(t *testing.T) {
	env := environment()
	env.ReadFile = tlsFiles(t)
	_, _, err := FromEnvironment(env, map[string]string{
		"ZK_ADDR": "zk1:2181", "ZK_TLS_CA": "/tls/other-ca.pem", "ZK_TLS_SERVER_NAME": "zk",
		"SERVER_TLS_CA": "/tls/ca.pem", "SERVER_TLS_SERVER_NAME": "${group}.local", "SERVER_TLS_CERT": "/tls/both.pem",
	})
	if err == nil || !strings.Contains(err.Error(), "ZK_TLS_CA: \"/tls/other-ca.pem\" cannot be read") || strings.Contains(err.Error(), "SERVER_TLS") {
		t.Fatal(err)
	}
	cfg, problems, err := FromEnvironment(env, map[string]string{
		"ZK_ADDR": "zk1:2181", "ZK_TLS_CA": "/tls/cert.pem", "SERVER_TLS_CA": "/tls/ca.pem", "SERVER_TLS_SERVER_NAME": "${group}.local", "SERVER_TLS_CERT": "/tls/both.pem",
	})
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	p := cfg.Proxies[0]
	for _, name := range []string{"web", "api"} {
		g, err := p.Discover.Group(name)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&ServerTLS{CA: "/tls/ca.pem", Cert: "/tls/both.pem", ServerName: name + ".local"}, g.TLS); d != "" {
			t.Error(d)
		}
	}
	if p.ZooKeeper.TLS.CA != "/tls/cert.pem" || p.ZooKeeper.TLS.Cert != "" {
		t.Errorf("%+v", p.ZooKeeper.TLS)
	}
	for variable, says := range map[string]string{
		"SERVER_TLS_SERVER_NAME": "SERVER_TLS_CA: without a CA",
		"SERVER_TLS_CERT":        "SERVER_TLS_CERT: \"x\" is a relative path",
	} {
		if _, _, err := FromEnvironment(env, map[string]string{"ZK_ADDR": "zk1:2181", variable: "x"}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v does not say %q", variable, err, says)
		}
	}
}
