package check

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
)

// samplePlan returns a plan with one group, and its rendering.
func samplePlan(t *testing.T, template string, v haproxy.Version) (*plan.Plan, []byte) {
	t.Helper()
	parsed, err := haproxy.ParseTemplate(template)
	if err != nil {
		t.Fatal(err)
	}
	servers, err := haproxy.ParseServerTemplate(haproxy.DefaultServerTemplate, "web-a", 2)
	if err != nil {
		t.Fatal(err)
	}
	pl := &plan.Plan{
		Proxy: config.Proxy{
			Name: "web", Template: "/etc/t", ConfFile: "/run/web.cfg", ListenerPort: 8080, AdminPort: 20001,
			Groups: []config.Group{{Name: "web-a", ListenerPort: 9000}},
		},
		Parsed: parsed,
		Frame:  haproxy.Frame{Version: v, Sockets: []string{"/s1", "/s2"}, PIDFile: "/p", ListenerPort: 8080, AdminPort: 20001},
		Backends: []haproxy.Backend{{
			Name: "web-a", ACLs: []string{"path_beg /a"}, Mode: "http", Balance: "roundrobin",
			HTTPCheck: "GET /", ListenerPort: 9000, Servers: servers,
		}},
	}
	return pl, pl.Render()
}

const sampleTemplate = `global
    nbproc $nbproc
    quiet
$sockets
defaults
    option httplog
frontend public
    bind *:$listener_port,127.0.0.1:81
    bind /run/x.sock
$acl
$use_backend
$backend
listen admin
    bind 0.0.0.0:$admin_port
    stats auth admin:hidden
`

var v26 = haproxy.Version{Major: 2, Minor: 6, Full: "2.6.12"}

func TestPlaces(t *testing.T) {
	pl, rendered := samplePlan(t, sampleTemplate, v26)
	p := newPlaces(subject{Plan: pl}, rendered)
	line := func(text string) int {
		t.Helper()
		for i, l := range p.rendered {
			if strings.Contains(l, text) {
				return i + 1
			}
		}
		t.Fatalf("no line %q in\n%s", text, rendered)
		return 0
	}
	for _, test := range []struct {
		rendered, where string
		line            int
	}{
		{"option httplog", "/etc/t", 6},
		{"bind *:8080", "/etc/t", 8},
		{"bind 0.0.0.0:20001", "/etc/t", 14},
		{"acl web-a", "web.groups.web-a", 0},
		{"use_backend web-a", "web.groups.web-a", 0},
		{"balance roundrobin", "web.groups.web-a", 0},
		{"bind *:9000", "web.groups.web-a", 0},
		{"stats socket /s1", "/run/web.cfg", line("stats socket /s1")},
		{"nbthread", "/etc/t", 2},
	} {
		if where, in := p.of(line(test.rendered)); where != test.where || in != test.line {
			t.Errorf("%q is of %s:%d, want %s:%d", test.rendered, where, in, test.where, test.line)
		}
	}
	for name, want := range map[string]finding{
		"public": {Where: "/etc/t", Line: 7}, "web-a": {Where: "web.groups.web-a"}, "other": {Where: "/run/web.cfg"},
	} {
		if where, in := p.section(name); where != want.Where || in != want.Line {
			t.Errorf("section %s is at %s:%d", name, where, in)
		}
	}
	for _, n := range []int{-1, 0, 1000} {
		if where, _ := p.of(n); where != "/run/web.cfg" || p.quote(n) != "" {
			t.Errorf("line %d: %s, %q", n, where, p.quote(n))
		}
	}
	if got := p.quote(line("stats auth")); got != "correct the line" {
		t.Errorf("the secret line is quoted: %s", got)
	}
	if got := p.quote(line("balance")); !strings.Contains(got, "balance roundrobin") || !strings.Contains(got, "render") {
		t.Errorf("quote: %s", got)
	}
}

func TestVerdictIsHAProxysExitStatus(t *testing.T) {
	pl, rendered := samplePlan(t, sampleTemplate, v26)
	p := newPlaces(subject{Plan: pl}, rendered)
	httplog := 0
	for i, l := range p.rendered {
		if strings.Contains(l, "option httplog") {
			httplog = i + 1
		}
	}
	trap := func(fatal bool) located {
		return located{haproxy.Trap{Line: 6, Text: "a trap", Remedy: "leave it", Fatal: fatal, HAProxySays: "httplog"}, "/etc/t"}
	}
	one := func(severity, text, remedy string) []finding {
		return []finding{{Proxy: "web", Severity: severity, Where: "/etc/t", Line: 6, Text: text, Remedy: remedy}}
	}
	alert := func(text string) []haproxy.Message {
		return []haproxy.Message{{Level: haproxy.Alert, Line: httplog, Text: text}}
	}
	const correct = "correct the line: option httplog"
	for _, test := range []struct {
		name    string
		traps   []located
		said    []haproxy.Message
		refused bool
		want    []finding
	}{
		{"a trap alone", []located{trap(false)}, nil, false, one(isWarning, "a trap", "leave it")},
		{"HAProxy confirms it", []located{trap(true)}, alert("no httplog"), true, one(isError, `a trap (HAProxy: "no httplog")`, "leave it")},
		{"HAProxy is graver", []located{trap(false)}, alert("no httplog"), true, one(isError, `a trap (HAProxy: "no httplog")`, "leave it")},
		{"HAProxy accepts it after all", []located{trap(true)}, nil, false, one(isWarning, "a trap", "leave it")},
		{"an alert beside an exit status of 0", []located{trap(true)}, alert("no httplog"), false, one(isWarning, `a trap (HAProxy: "no httplog")`, "leave it")},
		{"an alert alone beside an exit status of 0", nil, alert("hm"), false, one(isWarning, "HAProxy: hm", correct)},
		{
			"two causes in one line",
			[]located{{haproxy.Trap{Line: 6, Text: "the log is lost", Remedy: "log elsewhere"}, "/etc/t"}},
			alert("argument number 5 at position 37 is empty"), true,
			append(one(isWarning, "the log is lost", "log elsewhere"),
				one(isError, "HAProxy: argument number 5 at position 37 is empty", "write a word there, or remove the empty quotes")...),
		},
		{
			"a note",
			[]located{{haproxy.Trap{Line: 6, Text: "a change", Remedy: "decide", Note: true}, "/etc/t"}},
			nil, false,
			one(isNote, "a change", "decide"),
		},
		{
			"HAProxy repeats itself",
			[]located{trap(true)},
			append(alert("no httplog."), alert("no httplog. Please remove it.")...), true,
			one(isError, `a trap (HAProxy: "no httplog.")`, "leave it"),
		},
		{
			"consequences in the section's other lines",
			[]located{{haproxy.Trap{Line: 5, End: 6, Text: "no such section", Remedy: "remove it", Fatal: true, HAProxySays: "'defaults'"}, "/etc/t"}},
			alert("unknown keyword 'option'"), true,
			[]finding{{Proxy: "web", Severity: isError, Where: "/etc/t", Line: 5, Text: "no such section", Remedy: "remove it"}},
		},
		{
			"a name that the template does not have twice", nil,
			alert("frontend 'a.listener' has the same name as backend 'a.listener'"), true,
			one(isError, "HAProxy: frontend 'a.listener' has the same name as backend 'a.listener'", "rename one of them"),
		},
		{"HAProxy alone", nil, []haproxy.Message{{Level: haproxy.Warning, Line: httplog, Text: "hm"}}, true, one(isWarning, "HAProxy: hm", correct)},
		{
			"words without a line",
			[]located{{haproxy.Trap{Line: 6, Text: "no timeouts", HAProxySays: "missing timeouts for"}, "/etc/t"}},
			[]haproxy.Message{{Level: haproxy.Warning, Text: "missing timeouts for backend 'a'."}, {Level: haproxy.Warning, Text: "missing timeouts for proxy 'b'."}},
			false,
			one(isWarning, "no timeouts", ""),
		},
		{
			"a section by its name", nil,
			[]haproxy.Message{{Level: haproxy.Warning, Text: "log format ignored for frontend 'public' since it has no log address."}},
			false,
			[]finding{{
				Proxy: "web", Severity: isWarning, Where: "/etc/t", Line: 7,
				Text: "HAProxy: log format ignored for frontend 'public' since it has no log address.", Remedy: "add `log global` to the defaults",
			}},
		},
		{
			"places in the text", nil,
			[]haproxy.Message{{Level: haproxy.Alert, Line: httplog, Text: "declared at /run/web.cfg:1, and [/run/web.cfg:9999]"}},
			true,
			one(isError, "HAProxy: declared at line 1, and /run/web.cfg:9999", correct),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, merge("web", p, test.traps, test.said, test.refused)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestEmptyArgumentNamesTheUnsetVariable(t *testing.T) {
	t.Setenv("IS_SET", "x")
	got := remedyOf("argument number 5 at position 37 is empty", `log stdout "${IS_SET}" "${HAPROXY_ZK_TEST_NOT_SET}"`)
	if want := "set HAPROXY_ZK_TEST_NOT_SET in the environment, or write the word into the line"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTrapsOfGroups(t *testing.T) {
	pl, _ := samplePlan(t, sampleTemplate, v26)
	before := len(traps(subject{Plan: pl}))
	pl.Backends[0].HTTPCheck = `GET / HTTP/1.1\r\nHost:\ x`
	if after := traps(subject{Plan: pl}); len(after) != before {
		t.Errorf("headers are written as http-check send, and draw %+v", after)
	}
	pl.Backends[0].HTTPCheck += `\r\n\r\nbody`
	after := traps(subject{Plan: pl})
	if at := slices.IndexFunc(after, func(l located) bool { return l.where == "web.groups.web-a.httpchk" }); len(after) != before+1 || at < 0 || after[at].Line != 0 {
		t.Errorf("%+v", after)
	}
}

func TestJudgeProcesses(t *testing.T) {
	v22 := haproxy.Version{Major: 2, Minor: 2, Full: "2.2.9"}
	for _, test := range []struct {
		global  string
		sockets int
		version haproxy.Version
		want    string // the severity
	}{
		{"nbproc $nbproc", 2, v22, ""},
		{"nbproc 2", 2, v22, ""},
		{"nbproc 4", 2, v26, ""},
		{"nbproc $nbproc\n nbthread 4", 2, v22, isError},
		{"nbproc $nbproc\n nbthread 1", 2, v22, ""},
		{"nbproc $nbproc\n nbthread 4", 1, v22, ""},
		{"nbproc $nbproc\n nbthread 4", 2, v26, isWarning},
		{"nbproc $nbproc\n nbthread 2", 2, v26, ""},
		{"nbthread 4", 2, v26, ""},
	} {
		template, err := haproxy.ParseTemplate("global\n " + test.global + "\n$sockets\n$backend\n")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range judgeProcesses("web", "/etc/t", template, haproxy.Frame{Version: test.version, Sockets: make([]string, test.sockets)}) {
			got += f.Severity
		}
		if got != test.want {
			t.Errorf("%q, %d sockets, HAProxy %s: %q, want %q", test.global, test.sockets, test.version, got, test.want)
		}
	}
}
