package haproxy

import (
	"strings"
	"testing"
	"time"
)

func TestGroupTraps(t *testing.T) {
	v30 := Version{3, 0, "3.0.11"}
	for _, test := range []struct {
		name     string
		defaults string
		options  string // of the servers
		change   func(*Backend)
		version  Version
		at, says string // empty: nothing is wrong
		remedy   string
	}{
		{"nothing", "balance leastconn", "check", nil, v26, "", "", ""},
		{"sessions are cut", "", "check on-marked-down shutdown-sessions", nil, v26, "server-template", "cuts the running requests", "drain_timeout"},
		{"by the template", "default-server on-marked-down shutdown-sessions", "check", nil, v26, "4", "cuts the running requests", "drain_timeout"},
		{"but drain", "", "check on-marked-down shutdown-sessions", func(b *Backend) { b.DrainTimeout = time.Second }, v26, "", "", ""},
		{"one cookie for all", "cookie SRV insert", "check cookie web", nil, v26, "server-template", "same cookie value", "dynamic-cookie-key"},
		{"no cookie at all", "cookie SRV insert", "check", nil, v26, "4", "no cookie is ever set", "dynamic-cookie-key"},
		{"a cookie of the group's lines", "", "check", func(b *Backend) { b.Lines = []string{"cookie SRV insert"} }, v26, "lines[0]", "no cookie is ever set", "dynamic"},
		{"one cookie value per instance", "cookie SRV insert dynamic", "check", nil, v26, "", "", ""},
		{"tcp has no cookies", "cookie SRV insert", "check", func(b *Backend) { b.Mode = "tcp" }, v26, "", "", ""},
		{"a table that is lost", "", "check", func(b *Backend) { b.Lines = []string{"stick-table type ip size 1m", "stick on src"} }, v26, "lines[0]", "empties this stick table", "peers"},
		{"a table that is kept", "", "check", func(b *Backend) { b.Lines = []string{"stick-table type ip size 1m peers mates"} }, v26, "", "", ""},
		{"a hash over the list of servers", "balance uri", "check", nil, v26, "4", "moves most keys", "hash-type consistent"},
		{"of the group", "", "check", func(b *Backend) { b.Balance = "hdr(X) use_domain_only" }, v30, "balance", "moves most keys", "hash-type consistent"},
		{"a consistent hash", "balance uri\n hash-type consistent", "check", nil, v26, "", "", ""},
		{"of the group's lines", "balance uri", "check", func(b *Backend) { b.Lines = []string{"hash-type consistent sdbm avalanche"} }, v26, "", "", ""},
		{"an algorithm that tcp does not inherit", "balance uri", "check", func(b *Backend) { b.Mode = "tcp" }, v26, "", "", ""},
		{"a full backend", "", "check minconn 5 maxconn 50", func(b *Backend) { b.Route = RoutePath }, v26, "server-template", "`fullconn` of 1", "fullconn"},
		{"by the template", "default-server minconn 5 maxconn 50", "check", func(b *Backend) { b.Route = RoutePath }, v26, "4", "`fullconn` of 1", "fullconn"},
		{"full at a given number", "", "check minconn 5 maxconn 50", func(b *Backend) { b.Route, b.Lines = RoutePath, []string{"fullconn 100"} }, v26, "", "", ""},
		{"full when a rule names it", "", "check minconn 5 maxconn 50", func(b *Backend) { b.Route, b.Default = RoutePath, true }, v26, "", "", ""},
		{"full without a route", "", "check minconn 5 maxconn 50", nil, v26, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			servers, err := ParseServerTemplate("web 1-3 0.0.0.0:0 "+test.options, "web", 3)
			if err != nil {
				t.Fatal(err)
			}
			b := Backend{Name: "web", Mode: "http", Servers: servers}
			if test.change != nil {
				test.change(&b)
			}
			traps := parsed(t, "global\n$sockets\ndefaults\n    "+test.defaults+"\n$backend\n").GroupTraps(b, test.version)
			if test.at == "" {
				if len(traps) > 0 {
					t.Errorf("%+v", traps)
				}
				return
			}
			if len(traps) != 1 {
				t.Fatalf("%+v", traps)
			}
			at := traps[0].Key
			if traps[0].Line > 0 {
				at = string(rune('0' + traps[0].Line))
			}
			if at != test.at || !strings.Contains(traps[0].Text, test.says) || !strings.Contains(traps[0].Remedy, test.remedy) {
				t.Errorf("at %s: %+v", at, traps[0])
			}
		})
	}
}

func TestTrapOfInheritedStickTable(t *testing.T) {
	traps := parsed(t, goodTemplate("", "", "    stick-table type ip size 1m store conn_cur")).Traps(v26)
	if len(traps) != 1 || traps[0].Line != 16 || !strings.Contains(traps[0].Remedy, "peers") {
		t.Errorf("%+v", traps)
	}
}
