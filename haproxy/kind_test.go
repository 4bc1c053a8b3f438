package haproxy

import (
	"slices"
	"strings"
	"testing"
)

// writtenGroup returns a group that is written out and found by a map.
func writtenGroup(name string) Backend {
	b := anyGroup(name)
	b.Discovered = false
	return b
}

func TestGroupsWithTheSameSettingsShareDefaults(t *testing.T) {
	template := parsed(t, anyTemplate)
	slow, listening, slotted := writtenGroup("slow"), writtenGroup("port"), writtenGroup("slots")
	slow.Lines, listening.ListenerPort, slotted.Carry = []string{"timeout server 5m # slow"}, 81, CarrySlots
	backends := []Backend{writtenGroup("web"), slow, writtenGroup("web-admin"), writtenGroup("e"), writtenGroup("GET"), listening, slotted}
	frame := Frame{Version: v34, ConfFile: "/c"}
	frame.Kinds = template.Kinds(frame, backends)
	if len(frame.Kinds) != 2 {
		t.Fatalf("%d kinds", len(frame.Kinds))
	}
	config := string(template.Render(frame, nil, nil))
	web := template.KindOf(frame, backends[0])
	if got, want := sectionOf(t, config, "defaults "+web), "http-check send meth GET uri-lf '/%[be_name]/probe?100%%' ver HTTP/1.1 hdr Host '%[be_name].local'"; !slices.Contains(got, want) {
		t.Errorf("%q", got)
	}
	for _, b := range backends[2:5] {
		if kind := template.KindOf(frame, b); kind != web {
			t.Errorf("%s: %s, not %s", b.Name, kind, web)
		}
	}
	if got := sectionOf(t, config, "defaults "+template.KindOf(frame, slow)); !slices.Contains(got, "timeout server 5m # slow") {
		t.Errorf("%q", got)
	}
	every := anyGroup(AnyGroup)
	frame.Discovered = &every
	if kind := template.KindOf(frame, backends[0]); kind != AnyGroup {
		t.Errorf("%s, not that of discovered groups", kind)
	}
	if config := string(template.Render(frame, nil, nil)); strings.Contains(config, web) || !strings.Contains(config, "defaults "+template.KindOf(frame, slow)+"\n") {
		t.Error(config)
	}
	frame.Version = Version{3, 2, "3.2.26"}
	if config := string(template.Render(frame, nil, nil)); strings.Contains(config, AnyGroup) || len(template.Kinds(frame, backends)) > 0 {
		t.Error(config)
	}
}

func TestKindOfCheckThatCannotNameItsGroup(t *testing.T) {
	template := parsed(t, strings.Replace(anyTemplate, "http-check expect", "http-check send hdr X y\nhttp-check expect", 1))
	frame, b := Frame{Version: v34, ConfFile: "/c"}, writtenGroup("web")
	frame.Kinds = template.Kinds(frame, []Backend{b})
	if got := sectionOf(t, string(template.Render(frame, nil, nil)), "defaults "+template.KindOf(frame, b)); !slices.Contains(got, "option httpchk "+b.HTTPCheck) {
		t.Errorf("%q", got)
	}
}

func TestChecksWithoutTheNameOfTheirGroup(t *testing.T) {
	for _, test := range []struct{ check, name, want string }{
		{"GET /web/probe", "web", "GET /haproxy-zk.group/probe"},
		{"/web", "web", "/haproxy-zk.group"},
		{"GET /web-web/webs/cobweb/web", "web", "GET /haproxy-zk.group-haproxy-zk.group/webs/cobweb/haproxy-zk.group"},
		{"GET /health HTTP/1.1", "e", "GET /health HTTP/1.1"},
		{"GET /GET", "GET", "GET /haproxy-zk.group"},
		{"GET /HTTP HTTP/1.1", "HTTP", "GET /HTTP HTTP/1.1"},
		{"GET /a", "haproxy-zk.group", "GET /a"},
		{"", "web", ""},
	} {
		if got := withAnyGroup(test.check, test.name); got != test.want {
			t.Errorf("%q of %s: %q", test.check, test.name, got)
		}
	}
}

func TestFrameKeepsWhatRunningOneHas(t *testing.T) {
	a, b, every := Kind{Name: "a"}, Kind{Name: "b"}, anyGroup(AnyGroup)
	running := Frame{Routes: []Route{RoutePath, RouteHost}, Kinds: []Kind{a, b}, Discovered: &every}
	for range 2 {
		next := Frame{Routes: []Route{RouteHost}, Kinds: []Kind{b}}
		running = next.Keeping(running)
		if len(running.Routes) != 2 || len(running.Kinds) != 2 || running.Discovered == nil || len(next.Kinds) != 1 {
			t.Errorf("%v, then %v", next, running)
		}
	}
}
