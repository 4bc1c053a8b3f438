package haproxy

import (
	"slices"
	"strings"
	"testing"
)

func TestAdditionsOfBackends(t *testing.T) {
	for reply, want := range map[string]Addition{
		"New backend registered.": Added,
		"backend 'web' configured to load server state file.\nNew backend registered.":                                     Added,
		"Error during backend creation : name is already used by other proxy 'backend web'.":                               Existed,
		"Error during backend creation : name is already used by other proxy 'frontend web'.":                              Refused,
		"Cannot find default proxy 'haproxy-zk.group'.":                                                                    Refused,
		"Proxy 'web': unable to find mailers 'mmm'.\nError during backend creation.":                                       Refused,
		"New backend registered (no support for dynamic servers: backend 'web' uses a non dynamic load balancing method).": Refused,
		"": Refused,
	} {
		if got := ParseAddition("web", reply); got != want {
			t.Errorf("%q: %v", reply, got)
		}
	}
}

func TestDeletionsOfBackends(t *testing.T) {
	for reply, want := range map[string]Deletion{
		"Backend deleted.": Deleted,
		"Server deleted.\nServer web/s is going DOWN for maintenance.\nBackend deleted.": Deleted,
		"No such backend.": Deleted,
		"Only a backend without server can be deleted.":      Busy,
		"Backend still has attached streams on it.":          Busy,
		"Backend must be unpublished prior to its deletion.": InService,
	} {
		if got, err := ParseBackendDeletion([]string{"Done.", reply}); got != want || err != nil {
			t.Errorf("%q: %v, %v", reply, got, err)
		}
	}
	for _, reply := range []string{"", "This proxy cannot be removed at runtime due to other configuration elements pointing to it.", "Cannot remove a backend with stick-table."} {
		if _, err := ParseBackendDeletion([]string{"Done.", reply}); err == nil {
			t.Errorf("%q is no error", reply)
		}
	}
}

func TestBackendLines(t *testing.T) {
	published := make(map[string]bool)
	lines := NewBackendLines(func(name string, is bool) { published[name] = is })
	for line := range strings.Lines("# pxname,svname,qcur,status,weight,\nweb,BACKEND,0,UP,1,\napi,BACKEND,0,UP (UNPUB),1,\n\n") {
		if err := lines.Take([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if len(published) != 2 || !published["web"] || published["api"] || lines.Complete() != nil {
		t.Errorf("%v", published)
	}
	for _, line := range []string{"web,BACKEND,0,UP,1,", "# svname,pxname,status,", "# pxname,svname,qcur,"} {
		if err := NewBackendLines(func(string, bool) {}).Take([]byte(line)); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

// anyTemplate has settings that backends inherit, and a section after them that does too.
const anyTemplate = `global
$sockets
defaults
    mode http
    timeout connect 2s
    option redispatch
    http-check expect status 200
frontend public
    bind :80
$acl
$use_backend
$backend
listen stats
    bind :81
`

func anyGroup(name string) Backend {
	return Backend{
		Name: name, Mode: "http", Carry: CarryBackends, Discovered: true, Route: RoutePath, ACLs: RoutePath.Conditions(name),
		HTTPCheck: "GET /" + name + "/probe?100% HTTP/1.1\\r\\nHost:\\ " + name + ".local",
		Servers:   ServerTemplate{Prefix: name, First: 1, Last: 2, Free: "0.0.0.0:0", Params: []string{"check"}},
	}
}

func TestDefaultsOfDiscoveredGroups(t *testing.T) {
	template, every := parsed(t, anyTemplate), anyGroup(AnyGroup)
	frame := Frame{Version: v34, ConfFile: "/c", Routes: []Route{RoutePath}, Discovered: &every}
	config := string(template.Render(frame, []Backend{anyGroup("web")}, [][]Row{nil}))
	want := []string{
		"mode http", "timeout connect 2s", "option redispatch", "mode http", "balance roundrobin", "option httpchk",
		"http-check send meth GET uri-lf '/%[be_name]/probe?100%%' ver HTTP/1.1 hdr Host '%[be_name].local'", "http-check expect status 200",
	}
	if got := sectionOf(t, config, "defaults "+AnyGroup); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	// What follows does not inherit from them.
	_, rest, _ := strings.Cut(config, "defaults "+AnyGroup)
	if !strings.Contains(rest, "\ndefaults\n    mode http\n    timeout connect 2s\n") || strings.Index(rest, "\ndefaults\n") > strings.Index(rest, "listen stats") {
		t.Errorf("the section after them inherits from them:\n%s", rest)
	}
	for _, v := range []Version{v20, v26, {Major: 3, Minor: 3}} {
		frame.Version = v
		if config := string(template.Render(frame, nil, nil)); strings.Contains(config, AnyGroup) {
			t.Errorf("%v: %s", v, config)
		}
	}
}

func TestWhichBackendsComeAndGo(t *testing.T) {
	for _, test := range []struct {
		name     string
		template func(string) string
		change   func(*Backend)
		reason   string // empty: it does
	}{
		{"a discovered group", nil, nil, ""},
		{"its own timeouts", nil, func(b *Backend) { b.Lines = []string{"timeout server 2m", "no option redispatch"} }, ""},
		{"a group that is written out", nil, func(b *Backend) { b.Discovered, b.Lines = false, []string{"timeout server 2m # web"} }, ""},
		{"its own listener", nil, func(b *Backend) { b.Discovered, b.ListenerPort = false, 81 }, "listener of its own"},
		{"a section of mode tcp", func(s string) string {
			return strings.Replace(s, "$backend", "frontend raw\nmode tcp\nbind :82\n$use_backend\n$backend", 1)
		}, nil, "not of mode http"},
		{"a default backend", nil, func(b *Backend) { b.Default = true }, "default backend"},
		{"conditions of its own", nil, func(b *Backend) { b.Route = "" }, "not found by a map"},
		{"a line with its name", nil, func(b *Backend) { b.Lines = []string{"timeout server 2m # web"} }, "its own line"},
		{"rules of its own", nil, func(b *Backend) { b.Lines = []string{"http-request deny"} }, "its own line"},
		{"a template that names it", func(s string) string {
			return strings.Replace(s, "$use_backend", "use_backend web if TRUE\n$use_backend", 1)
		}, nil, "names the group"},
		{"a template that names it in quotes", func(s string) string {
			return strings.Replace(s, "$use_backend", "use_backend w'e'b if TRUE\n$use_backend", 1)
		}, nil, "names the group"},
		{"a template that counts its servers", func(s string) string {
			return strings.Replace(s, "$use_backend", "acl few nbsrv(web) lt 2\n$use_backend", 1)
		}, nil, "names the group"},
		{"a template that asks no maps", func(s string) string { return strings.Replace(s, "$use_backend", "", 1) }, nil, "$use_backend"},
		{"defaults that make HAProxy crash", func(s string) string { return strings.Replace(s, "option redispatch", "errorfiles x", 1) }, nil, "`errorfiles`"},
		{"a log profile", func(s string) string {
			return strings.Replace(s, "option redispatch", "log stdout profile p local0", 1)
		}, nil, "`log`"},
		{"checks of the template", func(s string) string {
			return strings.Replace(s, "http-check expect", "http-check send hdr X y\nhttp-check expect", 1)
		}, nil, "`http-check` rules"},
		{"checks without its name", func(s string) string {
			return strings.Replace(s, "http-check expect", "http-check send hdr X y\nhttp-check expect", 1)
		}, func(b *Backend) { b.HTTPCheck = "GET /probe" }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, b := anyTemplate, anyGroup("web")
			if test.template != nil {
				text = test.template(text)
			}
			if test.change != nil {
				test.change(&b)
			}
			way, reason := parsed(t, text).Carries(b, v34)
			if (way == CarryBackends) != (test.reason == "") || !strings.Contains(reason, test.reason) {
				t.Errorf("%s: %q", way, reason)
			}
			if way, reason := parsed(t, text).Carries(b, Version{Major: 3, Minor: 2}); way != CarryServers || !strings.Contains(reason, "before 3.4") {
				t.Errorf("3.2: %s: %q", way, reason)
			}
			b.Carry = CarryAuto
			if _, reason := parsed(t, text).Carries(b, v34); reason != "" {
				t.Errorf("auto: %q", reason)
			}
		})
	}
}
