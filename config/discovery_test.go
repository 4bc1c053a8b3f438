package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/decode"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func TestDiscovery(t *testing.T) {
	for name, test := range map[string]struct {
		path, entry string
		parent      string
		want        Group
	}{
		"nothing said": {
			entry: `{}`, parent: "/services",
			want: Group{Path: "/services/web-a/instances", Route: haproxy.RoutePath, Mode: "http"},
		},
		"no acls wanted": {
			entry: `{"acls": []}`, parent: "/services",
			want: Group{Path: "/services/web-a/instances", Mode: "http"},
		},
		"the entry's own": {
			entry: `{"zk.path": "/${app}", "acls": ["hdr(host) -i ${app}.${group}", "path /x"], "httpchk": "GET /${app}", "wait_check": true}`, parent: "/",
			want: Group{Path: "/web-a", ACLs: []string{"hdr(host) -i web-a.web-a", "path /x"}, Mode: "http", HTTPCheck: "GET /web-a", WaitCheck: true},
		},
		"the proxy's path": {
			path: `"zk.path": "/a/b/${app}/${group}-x", `, entry: `{"mode": "tcp", "acls": ["src ${group}"]}`, parent: "/a/b",
			want: Group{Path: "/a/b/web-a/web-a-x", ACLs: []string{"src web-a"}, Mode: "tcp"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := must(t, `{"web": {"zk.addr": "zk1:2181/chroot", `+test.path+`"groups": {"*": `+test.entry+`}}}`)[0]
			if len(p.Groups) != 0 || p.Discover == nil || p.Discover.Parent != test.parent {
				t.Fatalf("groups %v, discovery %+v, want parent %s", p.Groups, p.Discover, test.parent)
			}
			g, err := p.Discover.Group("web-a")
			if err != nil {
				t.Fatal(err)
			}
			test.want.Name, test.want.MaxServer, test.want.LossGuard, test.want.Carry = "web-a", 10, 100, "slots"
			test.want.Decoding.Format = decode.Auto
			test.want.ServerTemplate = haproxy.DefaultServerTemplate
			if diff := cmp.Diff(test.want, g); diff != "" {
				t.Errorf("group (-want +got):\n%s", diff)
			}
			if path := p.Discover.Path("web-a"); path != g.Path {
				t.Errorf("path %s, of the group %s", path, g.Path)
			}
		})
	}
}

// Groups before and after "*" keep their order; there may be none.
func TestDiscoveryBesideNamedGroups(t *testing.T) {
	p := must(t, `{"web": {"zk.addr": "zk1:2181", "groups": {
		"b": {"zk.path": "/other"}, "*": {"mode": "tcp", "acls": ["src ${group}"]}, "a": {"mode": "tcp", "default_backend": true, "listener_port": 1}
	}}}`)[0]
	if len(p.Groups) != 2 || p.Groups[0].Name != "b" || p.Groups[1].Name != "a" || p.Discover == nil {
		t.Errorf("groups %+v, discovery %v", p.Groups, p.Discover)
	}
	cfg, _, err := Load("f", []byte(`{"web": {"zk.addr": "zk1:2181", "groups": {}}}`), environment())
	if err != nil || cfg.Proxies[0].Discover != nil || len(cfg.Proxies[0].Groups) != 0 {
		t.Errorf("got %+v, %v", cfg, err)
	}
}

func TestDiscoveryHardStop(t *testing.T) {
	for groups, want := range map[string]string{
		`"*": {"mode": "tcp", "acls": ["src ${group}"]}`:          "0s",
		`"*": {"mode": "tcp", "acls": ["src ${group}"]}, "a": {}`: "30m0s",
		`"*": {}, "a": {"mode": "tcp"}`:                           "30m0s",
	} {
		p := must(t, `{"web": {"zk.addr": "zk1:2181", "groups": {`+groups+`}}}`)[0]
		if got := p.HardStopAfter.String(); got != want {
			t.Errorf("%s: got %s, want %s", groups, got, want)
		}
	}
}

func TestDiscoveredGroupsShareNoData(t *testing.T) {
	d := must(t, `{"web": {"zk.addr": "zk1:2181", "groups": {"*": {"acls": ["path /x", "path /${group}"]}}}}`)[0].Discover
	first, err := d.Group("a")
	if err != nil {
		t.Fatal(err)
	}
	first.ACLs[0] = "changed"
	if second, err := d.Group("a"); err != nil || second.ACLs[0] != "path /x" {
		t.Errorf("got %v, %v", second.ACLs, err)
	}
}

// HAProxy rejects such a condition, and with it every reload from then on.
func TestNamesThatStartOptionsInConditions(t *testing.T) {
	for _, test := range []struct {
		name, acl string
		taken     bool
	}{
		{"-x", "hdr(host) -i ${group}.example.com", false},
		{"-f", "path ${group}", false},
		{"-f", "path -i /${group}", true},
		{"a-x", "hdr(host) -i ${group}.example.com", true},
	} {
		d := &Discovery{Entry: Group{Path: "/services/${group}", ServerTemplate: haproxy.DefaultServerTemplate, ACLs: []string{"path_beg /", test.acl}}}
		if _, err := d.Group(test.name); (err == nil) != test.taken {
			t.Errorf("%s in %q: %v", test.name, test.acl, err)
		}
	}
}

func TestUnsafeNames(t *testing.T) {
	d := &Discovery{Parent: "/services", Entry: Group{Path: "/services/${group}", ServerTemplate: haproxy.DefaultServerTemplate}}
	for name, want := range map[string]string{
		"":                       `"" cannot be a name: use only letters, digits and "_", ".", ":", "-"`,
		".":                      `"." cannot be a name: use only letters, digits and "_", ".", ":", "-"`,
		"..":                     `".." cannot be a name: use only letters, digits and "_", ".", ":", "-"`,
		"*":                      `"*" cannot be a name: use only letters, digits and "_", ".", ":", "-"`,
		"a b":                    `"a b" cannot be a name: use only letters, digits and "_", ".", ":", "-"`,
		"a\nbackend b":           `"a\nbackend b" cannot be a name: use only letters, digits and "_", ".", ":", "-"`,
		"é":                      `"é" cannot be a name: use only letters, digits and "_", ".", ":", "-"`,
		"${group}":               `"${group}" cannot be a name: use only letters, digits and "_", ".", ":", "-"`,
		strings.Repeat("x", 65):  `"` + strings.Repeat("x", 64) + `"… cannot be a name: it has 65 bytes, and 64 are allowed`,
		strings.Repeat("x", 64):  "",
		"a.b_c-9":                "",
		"10.0.0.1:80":            `"10.0.0.1:80" cannot be a group's name: the servers' names begin with it, and HAProxy takes no colon there`,
		"Or":                     `"Or" cannot be the name of a group with acls: it is HAProxy's operator between two conditions`,
		"orders":                 "",
		"METH_TRACE":             `"METH_TRACE" cannot be the name of a discovered group: HAProxy has an ACL of that name, which the template's rules may mean`,
		"HTTP_1.1":               `"HTTP_1.1" cannot be the name of a discovered group: HAProxy has an ACL of that name, which the template's rules may mean`,
		"http":                   "",
		"metrics":                "",
		strings.Repeat("\n", 99): `"` + strings.Repeat(`\n`, 64) + `"… cannot be a name: it has 99 bytes, and 64 are allowed`,
	} {
		if _, err := d.Group(name); errorText(err) != want {
			t.Errorf("%q: got %q, want %q", name, errorText(err), want)
		}
	}
}
