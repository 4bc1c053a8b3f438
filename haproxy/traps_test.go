package haproxy

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var branches = []Version{{2, 0, "2.0.17"}, {2, 2, "2.2.9"}, {2, 6, "2.6.12"}, {3, 0, "3.0.11"}}

// good is a template in which nothing is wrong, with room for more.
const good = `global
    maxconn 100
%s
    nbproc $nbproc
$sockets
defaults
    mode http
    option redispatch
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 5s
%s
frontend public
    bind *:$listener_port
%s
$acl
$use_backend
$default_backend
$backend
`

// goodTemplate returns a template without traps, with additional lines.
func goodTemplate(global, defaults, frontend string) string {
	return fmt.Sprintf(good, global, defaults, frontend)
}

func parsed(t *testing.T, text string) *Template {
	t.Helper()
	template, err := ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// For each keyword: what HAProxy 2.0, 2.2, 2.6 and 3.0 do with it, that is accept, warn
// or reject.
func TestKeywordTraps(t *testing.T) {
	const takes, complains, refuses = "takes", "complains", "refuses"
	global := func(line string) string { return goodTemplate("    "+line, "", "") }
	defaults := func(line string) string { return goodTemplate("", "    "+line, "") }
	frontend := func(line string) string { return goodTemplate("", "", "    "+line) }
	for _, test := range []struct {
		template string
		line     int
		want     [4]string
	}{
		{frontend("bind-process 1"), 16, [4]string{takes, takes, complains, refuses}},
		{frontend("bind *:81 process 1"), 16, [4]string{takes, takes, complains, refuses}},
		{global("stats bind-process 1"), 3, [4]string{takes, takes, takes, refuses}},
		{global("stats socket /run/x.sock process 1"), 3, [4]string{takes, takes, complains, refuses}},
		{global("stats socket /run/x.sock mode 600"), 3, [4]string{takes, takes, takes, takes}},
		{global("tune.chksize 1024"), 3, [4]string{takes, takes, refuses, refuses}},
		{global("no strict-limits"), 3, [4]string{refuses, takes, takes, takes}},
		{defaults("option idle-close-on-response"), 13, [4]string{refuses, refuses, takes, takes}},
		{defaults(`option httpchk GET /h HTTP/1.1\r\nHost:\ x`), 13, [4]string{takes, complains, complains, refuses}},
		{defaults("option httpchk GET /h"), 13, [4]string{takes, takes, takes, takes}},
		{defaults("http-check send meth GET"), 13, [4]string{refuses, takes, takes, takes}},
		{defaults("http-check expect status 200"), 13, [4]string{takes, takes, takes, takes}},
		{frontend("reqrep ^x y"), 16, [4]string{complains, refuses, refuses, refuses}},
		{frontend("block if TRUE"), 16, [4]string{complains, refuses, refuses, refuses}},
		{defaults("clitimeout 5000"), 13, [4]string{complains, refuses, refuses, refuses}},
		{defaults("option forceclose"), 13, [4]string{complains, complains, refuses, refuses}},
		{defaults("load-server-state-from-file global"), 13, [4]string{complains, complains, complains, complains}},
		{global("log stdout format raw local0"), 3, [4]string{complains, complains, complains, complains}},
		{global("log 127.0.0.1 local0"), 3, [4]string{takes, takes, takes, takes}},
		{global("# tune.chksize 1024"), 3, [4]string{takes, takes, takes, takes}},
		// What Render cures is no trap.
		{global("quiet"), 3, [4]string{takes, takes, takes, takes}},
		{global("pidfile $pid_file"), 3, [4]string{takes, takes, takes, takes}},
	} {
		template := parsed(t, test.template)
		name := strings.TrimSpace(template.lines[test.line-1].text)
		t.Run(name, func(t *testing.T) {
			for i, v := range branches {
				got := takes
				traps := template.Traps(v)
				for _, trap := range traps {
					got = complains
					if trap.Fatal {
						got = refuses
					}
					if trap.Line != test.line || trap.Text == "" || trap.Remedy == "" {
						t.Errorf("HAProxy %s: %+v", v, trap)
					}
				}
				if got != test.want[i] || len(traps) > 1 {
					t.Errorf("HAProxy %s %s it, want %s", v, got, test.want[i])
				}
			}
		})
	}
}

func TestSeedTemplateTraps(t *testing.T) {
	text, err := os.ReadFile("../config/testdata/seed/haproxy.web.conf.template")
	if err != nil {
		t.Fatal(err)
	}
	template := parsed(t, string(text))
	lines := strings.Split(string(text), "\n")
	for _, v := range branches {
		var got []string
		for _, trap := range template.Traps(v) {
			got = append(got, strings.TrimSpace(lines[trap.Line-1])+": "+trap.Text)
		}
		want := []string{"defaults: there is no `option redispatch`", "frontend public: there is no `timeout http-keep-alive`", "stats auth admin:admin: the stats page lets anybody"}
		if !slices.EqualFunc(got, want, strings.HasPrefix) {
			t.Errorf("HAProxy %s:\n%s", v, strings.Join(got, "\n"))
		}
	}
}

func TestBuiltinTemplatesHaveNoTraps(t *testing.T) {
	for _, v := range branches {
		for _, mode := range []string{"http", "tcp"} {
			template, err := Builtin{Mode: mode, Version: v, LogSocket: "/run/log.sock", Root: true, User: "operator", Password: "word"}.Template()
			if err != nil {
				t.Fatal(err)
			}
			if traps := template.Traps(v); len(traps) > 0 {
				t.Errorf("%s, HAProxy %s: %+v", mode, v, traps)
			}
		}
	}
}

func TestLacks(t *testing.T) {
	full := goodTemplate("", "", "")
	without := func(lines ...string) string {
		text := full
		for _, line := range lines {
			text = strings.Replace(text, "    "+line+"\n", "", 1)
		}
		return text
	}
	for _, test := range []struct {
		name, template string
		version        Version
		want           []string
	}{
		{"nothing", full, branches[2], nil},
		{"redispatch", without("option redispatch"), branches[2], []string{"option redispatch"}},
		{"redispatch is switched off", strings.Replace(full, "option redispatch", "no option redispatch", 1), branches[2], []string{"option redispatch"}},
		{"keep-alive", without("timeout http-keep-alive 5s"), branches[2], []string{"timeout http-keep-alive"}},
		{"keep-alive has the request's timeout", strings.Replace(full, "http-keep-alive 5s", "http-request 5s", 1), branches[2], nil},
		{"keep-alive in the frontend", strings.Replace(without("timeout http-keep-alive 5s"), "    bind", "    timeout http-keep-alive 5s\n    bind", 1), branches[2], nil},
		{"keep-alive means nothing in tcp", strings.Replace(without("timeout http-keep-alive 5s"), "mode http", "mode tcp", 1), branches[2], nil},
		{
			"timeouts", without("timeout client 60s", "timeout connect 5s", "timeout server 60s"), branches[2],
			[]string{"`timeout connect` and no `timeout server`", "`timeout client`"},
		},
		{
			"old timeouts were timeouts", strings.Replace(full, "timeout client 60s", "clitimeout 60000", 1), branches[0],
			[]string{"removed clitimeout"},
		},
		{
			"old timeouts are none now", strings.Replace(full, "timeout client 60s", "clitimeout 60000", 1), branches[1],
			[]string{"removed clitimeout", "`timeout client`"},
		},
		{
			"later defaults are the backends'", strings.Replace(full, "$backend", "defaults\n    timeout connect 5s\n    timeout server 1m\nlisten x\n    bind :1\n$backend", 1), branches[2],
			[]string{"option redispatch"},
		},
		{
			"defaults by name", strings.Replace(strings.Replace(full, "defaults", "defaults web", 1), "frontend public", "defaults\n    option redispatch\n    timeout connect 1s\n    timeout server 1s\nfrontend public from web", 1), branches[2],
			nil,
		},
		{
			"no defaults", "global\n$sockets\nfrontend f\n$use_backend\n$backend\n", branches[2],
			// Without a mode line it is tcp, where no client is kept alive.
			[]string{"`timeout client`", "`timeout connect` and no `timeout server`", "option redispatch"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			traps := parsed(t, test.template).Traps(test.version)
			contains := func(trap Trap, want string) bool { return strings.Contains(trap.Text, want) && trap.Line > 0 }
			if !slices.EqualFunc(traps, test.want, contains) {
				t.Errorf("got %+v\nwant %q", traps, test.want)
			}
		})
	}
}

func TestOpenStats(t *testing.T) {
	for _, test := range []struct {
		lines string
		traps int
	}{
		{"bind 0.0.0.0:$admin_port\n stats auth admin:admin\n stats admin if TRUE", 1},
		{"bind :$admin_port\n stats auth root:root\n stats admin if TRUE", 1},
		{"bind *:1\n stats auth 'admin:admin'\n stats admin if TRUE", 1},
		{"bind *:1\n stats auth admin:other\n stats admin if TRUE", 0},
		{"bind *:1\n stats auth admin:admin", 0},
		{"bind 127.0.0.1:1\n stats auth admin:admin\n stats admin if TRUE", 0},
		{"bind 127.0.0.1:1,10.0.0.1:1\n stats auth admin:admin\n stats admin if TRUE", 1},
	} {
		text := goodTemplate("", "", "") + "listen stats\n " + test.lines + "\n"
		if traps := parsed(t, text).Traps(branches[2]); len(traps) != test.traps {
			t.Errorf("%q: %+v", test.lines, traps)
		}
	}
}

func TestGlobal(t *testing.T) {
	template := parsed(t, goodTemplate("    user haproxy # comment\n    user other", "    user no", ""))
	want := []Setting{{3, []string{"user", "haproxy"}}, {4, []string{"user", "other"}}}
	if diff := cmp.Diff(want, template.Global("user")); diff != "" {
		t.Error(diff)
	}
}

// The rendered lines of the seed's template are traced back to it.
func TestPlacesOfRenderedLines(t *testing.T) {
	text, err := os.ReadFile("../config/testdata/seed/haproxy.web.conf.template")
	if err != nil {
		t.Fatal(err)
	}
	template := parsed(t, string(text))
	servers, err := ParseServerTemplate(DefaultServerTemplate, "web", 3)
	if err != nil {
		t.Fatal(err)
	}
	backends := []Backend{{Name: "web", ACLs: []string{"path_beg /"}, Mode: "http", Balance: "roundrobin", Default: true, Servers: servers}}
	for _, v := range branches {
		f := Frame{Version: v, Sockets: []string{"/s1", "/s2"}, PIDFile: "/p", ListenerPort: 8080, AdminPort: 20001}
		rows := [][]Row{make([]Row, 3)}
		rendered := template.Render(f, backends, rows)
		lines := strings.Split(strings.TrimSuffix(string(rendered), "\n"), "\n")
		source := template.Places(f, backends, rows)
		if len(source) != len(lines) {
			t.Fatalf("%d lines, %d sources", len(lines), len(source))
		}
		found := 0
		for i, line := range lines {
			added := slices.ContainsFunc([]string{"stats maxconn", "stats socket", "no strict-limits", "idle-close", "acl web", "use_backend web", "default_backend web", "server-template", "backend web"},
				func(words string) bool { return strings.Contains(line, words) })
			switch at := source[i].Template; {
			case added && at != 0:
				t.Errorf("HAProxy %s: line %q comes from %d", v, line, at)
			case at > 0:
				found++
				if was := template.lines[at-1].text; was != line && !strings.Contains(was, "$") {
					t.Errorf("HAProxy %s: line %q comes from %q", v, line, was)
				}
			case slices.Contains([]string{"    stats auth admin:admin", "    bind 0.0.0.0:20001", "listen admin_stats"}, line):
				t.Errorf("HAProxy %s: line %q comes from nowhere", v, line)
			}
		}
		if found < 25 {
			t.Errorf("HAProxy %s: only %d lines were found", v, found)
		}
	}
}
