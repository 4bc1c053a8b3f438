package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

func TestFindings(t *testing.T) {
	var fs Findings
	if fs.Verdict(true) != nil {
		t.Error("nothing found is no success")
	}
	fs.good = []summary{{"a", "HAProxy 2.6\n    threads", "2 groups"}, {"b", "HAProxy 3.2\n    threads", "1 group"}, {"c", "HAProxy 2.6\n    threads", "3 groups"}}
	fs.add(
		finding{Proxy: "a", Severity: isNote, Where: "a.exec", Text: "old", Remedy: "renew"},
		finding{Proxy: "a", Severity: isWarning, Where: "t", Line: 3, Text: "odd"},
		finding{Proxy: "b", Severity: isWarning, Where: "t", Line: 3, Text: "odd"}, // the same template
	)
	if err := fs.Verdict(false); err != nil {
		t.Errorf("warnings fail: %v", err)
	}
	if err := fs.Verdict(true); !errors.As(err, new(exitcode.UsageError)) {
		t.Errorf("strict: %v", err)
	}
	fs.add(finding{Proxy: "b", Severity: isError, Where: "b.listener_port", Text: "taken"})
	if err := fs.Verdict(false); !errors.As(err, new(exitcode.UsageError)) || !strings.Contains(err.Error(), "1 error, 1 warning") {
		t.Errorf("error: %v", err)
	}
	var text strings.Builder
	if err := fs.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	want := "note: a.exec: old\n    renew\nwarning: t:3: odd\nerror: b.listener_port: taken\nHAProxy 2.6\n    threads\na: good: 2 groups\nc: good: 3 groups\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestFindingsAsJSON(t *testing.T) {
	for want, fs := range map[string]Findings{
		`{"findings":[],"errors":0,"warnings":0}`: {},
		`{"findings":[{"proxy":"a","severity":"error","where":"t","line":0,"text":"<&>","remedy":""}],"errors":1,"warnings":0}`: {
			list: []finding{{Proxy: "a", Severity: isError, Where: "t", Text: "<&>"}},
		},
	} {
		var got strings.Builder
		if err := fs.WriteJSON(&got); err != nil {
			t.Fatal(err)
		}
		var compact strings.Builder
		for line := range strings.Lines(got.String()) {
			compact.WriteString(strings.TrimSpace(line))
		}
		if diff := cmp.Diff(want, strings.ReplaceAll(compact.String(), `": `, `":`)); diff != "" || !json.Valid([]byte(got.String())) {
			t.Error(diff)
		}
	}
}

func TestJudgePlan(t *testing.T) {
	p := config.Proxy{Name: "web"}
	err := exitcode.NewUsageError(errors.Join(
		errors.New("web.exec: cannot find HAProxy"),
		errors.New("web.groups.a.server-template: range \"x\": no"),
		fmt.Errorf("web.template: %w", fmt.Errorf("/etc/t: %w", errors.Join(errors.New("line 7: no such thing: remove it"), errors.New("$backend is missing")))),
		errors.New("odd"),
	))
	want := []finding{
		{Proxy: "web", Severity: isError, Where: "web.exec", Text: "cannot find HAProxy", Remedy: "install HAProxy, or set `exec` to its executable"},
		{Proxy: "web", Severity: isError, Where: "web.groups.a.server-template", Text: "range \"x\": no"},
		{Proxy: "web", Severity: isError, Where: "/etc/t", Line: 7, Text: "no such thing: remove it"},
		{Proxy: "web", Severity: isError, Where: "web.template", Text: "/etc/t: $backend is missing"},
		{Proxy: "web", Severity: isError, Where: "web", Text: "odd"},
	}
	if diff := cmp.Diff(want, judgePlan(p, err)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestJudgeConfiguration(t *testing.T) {
	problems := &config.Problems{{File: "c.json", Line: 3, Key: "web.groups.a.mode", Text: "no"}, {File: "c.json", Line: 9, Text: "no JSON"}}
	warnings := []config.Problem{{File: "c.json", Line: 4, Key: "web.x", Text: "unknown key"}}
	want := []finding{
		{Proxy: "web", Severity: isError, Where: "c.json", Line: 3, Text: "web.groups.a.mode: no"},
		{Severity: isError, Where: "c.json", Line: 9, Text: "no JSON"},
		{Proxy: "web", Severity: isWarning, Where: "c.json", Line: 4, Text: "web.x: unknown key"},
	}
	if diff := cmp.Diff(want, judgeConfiguration(nil, warnings, exitcode.NewUsageError(problems))); diff != "" {
		t.Errorf("of a file: -want +got\n%s", diff)
	}

	environment := &config.Problems{{File: "environment", Key: "ZK_ADDR", Text: "missing"}}
	want = []finding{
		{Severity: isNote, Where: "configuration", Text: "there is no file"},
		{Severity: isError, Where: "environment", Text: "ZK_ADDR: missing"},
	}
	if diff := cmp.Diff(want, judgeConfiguration(nil, nil, exitcode.NewUsageError(fmt.Errorf("there is no file:\n%w", environment)))); diff != "" {
		t.Errorf("of the environment: -want +got\n%s", diff)
	}

	want = []finding{{Severity: isError, Where: "configuration", Text: "it is not there"}}
	if diff := cmp.Diff(want, judgeConfiguration(nil, nil, errors.New("it is not there"))); diff != "" {
		t.Errorf("of none: -want +got\n%s", diff)
	}

	cfg := &config.Config{Proxies: []config.Proxy{{Name: "web"}, {Name: "web.b"}}}
	for key, name := range map[string]string{"web.groups": "web", "web.b.groups": "web.b", "web.b": "web.b", "webs.x": "", "": ""} {
		if got := proxyOf(key, cfg); got != name {
			t.Errorf("%s is of %q, want %q", key, got, name)
		}
	}
}
