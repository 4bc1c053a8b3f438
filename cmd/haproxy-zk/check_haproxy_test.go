package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/hactl"
)

const said22 = `[NOTICE] 326/014550 (6972) : haproxy version is 2.2.9-2+deb11u6
[NOTICE] 326/014550 (6972) : path to executable is /usr/sbin/haproxy
[ALERT] 326/014550 (6972) : parsing [a.cfg:10] : unknown option 'httpblog'.
[WARNING] 326/014550 (6972) : parsing acl keyword 'path_beg' :
  no pattern to match against were provided, so this ACL will never match.
  If this is what you intended, please add '--' to get rid of this warning.

[WARNING] 326/014550 (6972) : parsing [a.cfg:15]: 'option httpchk' : hiding headers is deprecated.
[ALERT] 326/014550 (6972) : Error(s) found in configuration file : a.cfg
[ALERT] 326/014550 (6972) : Fatal errors found in configuration.
`

const said26 = `[NOTICE]   (6994) : haproxy version is 2.6.12-1+deb12u4
[WARNING]  (6994) : config : missing timeouts for backend 'b'.
   | While not properly invalid, you will certainly encounter various problems
   | with such a configuration.
[ALERT]    (6994) : config : [a.cfg:4] : 'stats socket' : no.
Warnings were found.
Configuration file is valid
`

func TestHAProxyWords(t *testing.T) {
	for _, test := range []struct {
		output string
		want   []words
	}{
		{said22, []words{
			{true, 10, "unknown option 'httpblog'."},
			{false, 0, "parsing acl keyword 'path_beg' : no pattern to match against were provided, so this ACL will never match. If this is what you intended, please add '--' to get rid of this warning."},
			{false, 15, "'option httpchk' : hiding headers is deprecated."},
		}},
		{said26, []words{
			{false, 0, "missing timeouts for backend 'b'. While not properly invalid, you will certainly encounter various problems with such a configuration."},
			{true, 4, "'stats socket' : no."},
		}},
		{"", nil},
		{"Configuration file is valid\n", nil},
		{"haproxy: cannot execute\n", nil},
	} {
		if diff := cmp.Diff(test.want, haproxyWords(test.output), cmp.AllowUnexported(words{})); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

// samplePlan is a plan with one group, whose rendering is returned as well.
func samplePlan(t *testing.T, template string, v hactl.Version) (*plan, []byte) {
	t.Helper()
	parsed, err := hactl.ParseTemplate(template)
	if err != nil {
		t.Fatal(err)
	}
	servers, err := hactl.ParseServerTemplate(hactl.DefaultServerTemplate, "web-a", 2)
	if err != nil {
		t.Fatal(err)
	}
	pl := &plan{
		Proxy: config.Proxy{
			Name: "web", Template: "/etc/t", ConfFile: "/run/web.cfg", ListenerPort: 8080, AdminPort: 20001,
			Groups: []config.Group{{Name: "web-a", ListenerPort: 9000}},
		},
		template: parsed,
		frame:    hactl.Frame{Version: v, Sockets: []string{"/s1", "/s2"}, PIDFile: "/p", ListenerPort: 8080, AdminPort: 20001},
		backends: []hactl.Backend{{
			Name: "web-a", ACLs: []string{"path_beg /a"}, Mode: "http", Balance: "roundrobin",
			HTTPCheck: "GET /", ListenerPort: 9000, Servers: servers,
		}},
	}
	return pl, pl.render()
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

var v26 = hactl.Version{Major: 2, Minor: 6, Full: "2.6.12"}

func TestPlaces(t *testing.T) {
	pl, rendered := samplePlan(t, sampleTemplate, v26)
	p := newPlaces(pl, rendered)
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
		{"nbthread", "/run/web.cfg", line("nbthread")},
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

func TestMergeWords(t *testing.T) {
	pl, rendered := samplePlan(t, sampleTemplate, v26)
	p := newPlaces(pl, rendered)
	httplog := 0
	for i, l := range p.rendered {
		if strings.Contains(l, "option httplog") {
			httplog = i + 1
		}
	}
	trap := func(fatal bool) located {
		return located{hactl.Trap{Line: 6, Text: "a trap", Remedy: "leave it", Fatal: fatal}, "/etc/t"}
	}
	one := func(severity, text, remedy string) []finding {
		return []finding{{Proxy: "web", Severity: severity, Where: "/etc/t", Line: 6, Text: text, Remedy: remedy}}
	}
	for _, test := range []struct {
		name    string
		traps   []located
		said    []words
		refused bool
		want    []finding
	}{
		{"a trap alone", []located{trap(false)}, nil, false, one(isWarning, "a trap", "leave it")},
		{"HAProxy confirms it", []located{trap(true)}, []words{{true, httplog, "no"}}, true, one(isError, `a trap (HAProxy: "no")`, "leave it")},
		{"HAProxy is graver", []located{trap(false)}, []words{{true, httplog, "no"}}, true, one(isError, `a trap (HAProxy: "no")`, "leave it")},
		{"HAProxy takes it after all", []located{trap(true)}, nil, false, one(isWarning, "a trap", "leave it")},
		{"HAProxy alone", nil, []words{{false, httplog, "hm"}}, false, one(isWarning, "HAProxy: hm", "correct the line: option httplog")},
		{
			"words without a line",
			[]located{{hactl.Trap{Line: 6, Text: "no timeouts", Says: "missing timeouts for"}, "/etc/t"}},
			[]words{{false, 0, "missing timeouts for backend 'a'."}, {false, 0, "missing timeouts for proxy 'b'."}},
			false,
			one(isWarning, "no timeouts", ""),
		},
		{
			"a section by its name", nil,
			[]words{{false, 0, "log format ignored for frontend 'public' since it has no log address."}},
			false,
			[]finding{{
				Proxy: "web", Severity: isWarning, Where: "/etc/t", Line: 7,
				Text: "HAProxy: log format ignored for frontend 'public' since it has no log address.", Remedy: "add `log global` to the defaults",
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, mergeWords("web", p, test.traps, test.said, test.refused)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestTrapsOfGroups(t *testing.T) {
	pl, _ := samplePlan(t, sampleTemplate, v26)
	before := len(traps(pl))
	pl.Groups[0].HTTPCheck = `GET / HTTP/1.1\r\nHost:\ x`
	after := traps(pl)
	if len(after) != before+1 || after[before].where != "web.groups.web-a" || after[before].Line != 0 {
		t.Errorf("%+v", after)
	}
}

func TestJudgeProcesses(t *testing.T) {
	v22 := hactl.Version{Major: 2, Minor: 2, Full: "2.2.9"}
	for _, test := range []struct {
		global  string
		sockets int
		version hactl.Version
		want    string // the severity
	}{
		{"nbproc $nbproc", 2, v22, ""},
		{"nbproc 2", 2, v22, ""},
		{"nbproc 4", 2, v22, isError},
		{"nbproc 4", 2, v26, ""},
		{"nbproc $nbproc\n nbthread 4", 2, v22, isError},
		{"nbproc $nbproc\n nbthread 1", 2, v22, ""},
		{"nbproc $nbproc\n nbthread 4", 1, v22, ""},
		{"nbproc $nbproc\n nbthread 4", 2, v26, isWarning},
		{"nbproc $nbproc\n nbthread 2", 2, v26, ""},
		{"nbthread 4", 2, v26, ""},
	} {
		template, err := hactl.ParseTemplate("global\n " + test.global + "\n$sockets\n$backend\n")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range judgeProcesses("web", "/etc/t", template, hactl.Frame{Version: test.version, Sockets: make([]string, test.sockets)}) {
			got += f.Severity
		}
		if got != test.want {
			t.Errorf("%q, %d sockets, HAProxy %s: %q, want %q", test.global, test.sockets, test.version, got, test.want)
		}
	}
}
