package haproxy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRoute(t *testing.T) {
	for text, want := range map[string]Route{
		"path": RoutePath, "host": RouteHost, "host+path": RouteHostPath, "header:X-App": "header:x-app",
		"": "", "Path": "", "header:": "", "header": "", "header:a b": "", "header:a,b": "", "header:" + strings.Repeat("x", 65): "",
	} {
		if got, err := ParseRoute(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestMapsHaveTheKeysOfTheirGroups(t *testing.T) {
	var backends []Backend
	add := func(r Route, names ...string) {
		for _, name := range names {
			backends = append(backends, Backend{Name: name, Route: r})
		}
	}
	add(RoutePath, "web-admin", "Web", "a.b")
	add("", "written")
	add(RouteHost, "shop", "www.Example.com")
	add(RouteHostPath, "www.example.com_orders_new", "www.example.com")
	add("header:x-app", "Blue")
	add("header:a", "green")
	got := make(map[string]string)
	var order []Route
	for _, m := range routeMaps(Frame{ConfFile: "/run/web.cfg", Routes: []Route{RoutePath, "header:none"}}, backends) {
		got[m.Path] = string(m.Text())
		order = append(order, m.Route)
	}
	if diff := cmp.Diff(map[string]string{
		"/run/web.cfg.path.map":         "/web-admin/ web-admin\n/web/ Web\n/a.b/ a.b\n",
		"/run/web.cfg.host.map":         "shop. shop\nwww.example.com. www.Example.com\n",
		"/run/web.cfg.host-path.map":    "www.example.com/orders_new/ www.example.com_orders_new\nwww.example.com/ www.example.com\n",
		"/run/web.cfg.header-x-app.map": "blue Blue\n",
		"/run/web.cfg.header-a.map":     "green green\n",
		"/run/web.cfg.header-none.map":  "",
	}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]Route{RouteHostPath, RouteHost, "header:a", "header:none", "header:x-app", RoutePath}, order); diff != "" {
		t.Errorf("order: -want +got\n%s", diff)
	}
}

// routed returns the groups written and web, of which the second is found by its path.
func routed() []Backend {
	written, web := testBackend(), testBackend()
	written.Name, written.ACLs = "written", []string{"path_beg /written"}
	web.Route, web.ACLs = RoutePath, RoutePath.Conditions("web")
	return []Backend{written, web}
}

func TestRoutedGroupIsFoundInMap(t *testing.T) {
	const rule = "    use_backend %[path,lower,concat(/),map_beg(/run/web.cfg.path.map)] if { path,lower,concat(/),map_beg(/run/web.cfg.path.map) -m found }\n"
	const acls = "    acl web path -i /web\n    acl web path_beg -i /web/\n"
	const template = "global\n$sockets\ndefaults\n    mode http\nfrontend one\n$acl\n"
	for _, test := range []struct{ name, template, want string }{
		{
			"after the groups with conditions",
			template + "$use_backend\n$backend",
			"frontend one\n    acl written path_beg /written\n    use_backend written if written\n" + rule,
		},
		{
			"in several frontends",
			template + "$use_backend\nfrontend two\n$use_backend\n$backend",
			"    use_backend written if written\n" + rule + "frontend two\n    use_backend written if written\n" + rule,
		},
		{
			"with its ACL for a rule of the template",
			template + "    http-request deny if web !{ src 10.0.0.0/8 }\n$use_backend\n$backend",
			"frontend one\n    acl written path_beg /written\n" + acls + "    http-request deny if web !{ src 10.0.0.0/8 }\n    use_backend written if written\n" + rule,
		},
		{
			"with one of its conditions for a rule of the template",
			template + "    http-request deny if web2\n$use_backend\n$backend",
			"frontend one\n    acl written path_beg /written\n    acl web2 path_beg -i /web/\n    http-request deny if web2\n    use_backend written if written\n" + rule,
		},
		{
			"by conditions where there are no requests",
			template + "    mode tcp\n$use_backend\n$backend",
			"frontend one\n    acl written path_beg /written\n" + acls + "    mode tcp\n    use_backend written if written\n    use_backend web if web\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			parsed, err := ParseTemplate(test.template)
			if err != nil {
				t.Fatal(err)
			}
			f := Frame{Version: Version{Major: 2}, ConfFile: "/run/web.cfg"}
			text := string(parsed.Render(f, routed(), make([][]Row, 2)))
			if !strings.Contains(text, test.want) {
				t.Errorf("want\n%s\ngot\n%s", test.want, text)
			}
			if lines, places := strings.Count(text, "\n"), parsed.Places(f, routed(), make([][]Row, 2)); len(places) != lines {
				t.Errorf("%d lines, %d places", lines, len(places))
			}
		})
	}
}

func TestMapsThatNoRuleAsksDoNotExist(t *testing.T) {
	for text, want := range map[string]int{
		"global\n$sockets\ndefaults\n mode http\nfrontend one\n$use_backend\n$backend":                         1,
		"global\n$sockets\nfrontend one\n mode http\n$acl\n$use_backend\nfrontend two\n$use_backend\n$backend": 1,
		"global\n$sockets\ndefaults\n mode http\nfrontend one\n$acl\n use_backend web if web\n$backend":        0,
		"global\n$sockets\nfrontend one\n$use_backend\n$backend":                                               0,
	} {
		parsed, err := ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		f := Frame{Version: Version{Major: 2}, ConfFile: "/run/web.cfg"}
		maps, rendered := parsed.Maps(f, routed()), string(parsed.Render(f, routed(), make([][]Row, 2)))
		if len(maps) != want || strings.Contains(rendered, ".path.map") != (want > 0) {
			t.Errorf("%d maps, want %d:\n%s", len(maps), want, rendered)
		}
	}
}

func TestMapsNeedAPathThatExpressionsMayContain(t *testing.T) {
	for path, good := range map[string]bool{
		"/run/haproxy-zk/default.cfg": true, "/home/a_b/x@1/web+1~.cfg:2": true, "/srv/bücher.cfg": true,
		"/my run/web.cfg": false, "/a,b": false, "/a;b": false, "/a(b": false, "/a]": false, "/a%b": false, "/a#b": false, "/$a": false, `/a\b`: false, "/a'b": false,
	} {
		if err := CheckMapsBeside(path); (err == nil) != good {
			t.Errorf("%s: %v", path, err)
		}
	}
}
