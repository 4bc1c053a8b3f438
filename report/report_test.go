package report

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// port answers with prepared documents, by path.
type port map[string]string

func (p port) Get(_ context.Context, path string) (query.Answer, error) {
	body, known := p[path]
	switch {
	case !known:
		return query.Answer{Code: http.StatusNotFound, Header: http.Header{}, Body: []byte(`{"error":"nothing there"}`)}, nil
	case body == "":
		return query.Answer{}, errors.New("connection refused")
	}
	return query.Answer{Code: http.StatusOK, Header: http.Header{}, Body: []byte(body)}, nil
}

func page() *terminal.Page {
	return terminal.NewScreen(new(strings.Builder), func(string) (string, bool) { return "", false }).Page()
}

const address = "10.0.0.1:80"

// instance returns an instance with the states that its workers report.
func instance(addr, state, by, reason string, workers ...string) query.InstanceDetail {
	then := time.Now().Add(-5 * time.Minute)
	d := query.InstanceDetail{Address: addr, State: state, SetBy: by, Reason: reason, Workers: []query.WorkerDetail{}}
	for i, worker := range workers {
		d.Since = &then
		d.Differs = d.Differs || worker != workers[0]
		d.Workers = append(d.Workers, query.WorkerDetail{PID: 100 + i, Server: "web7", State: worker, Since: then})
	}
	return d
}

// about returns a port that answers about one group, p/web, with these instances.
func about(t *testing.T, readyz string, instances ...query.InstanceDetail) port {
	t.Helper()
	text, err := json.Marshal(map[string]any{"p": map[string]any{"web": map[string]any{"instances": instances}}})
	if err != nil {
		t.Fatal(err)
	}
	return port{
		"/":             `{"p":{"web":{"instances":["10.0.0.1:80"]},"api":{"instances":["10.0.0.3:80"]}}}`,
		"/readyz":       `{"ready":true,"proxies":{"p":{"ready":true,` + readyz + `"zookeeper":"connected"}}}`,
		"/p/web?detail": string(text),
		"/p?passing":    `{"p":{"web":{"instances":["10.0.0.1:80"]},"api":{"instances":[]}}}`,
	}
}

func TestExplainSkippedChild(t *testing.T) {
	t.Parallel()
	answers := about(t, "")
	answers["/p/web?detail"] = `{"p":{"web":{"instances":[],"skipped":[` +
		`{"name":"a","kind":"payload","problem":"its data is JSON of no known format","remedy":"correct it"},` +
		`{"name":"10.0.0.2:80","kind":"refused","problem":"not in allow_networks","remedy":"change it"},` +
		`{"name":"\\x1b[2J","kind":"other","problem":"not an ip:port","remedy":"delete it"}]}}}`
	for name, want := range map[string]string{
		"a":           "p/web/a does not serve: its data is JSON of no known format\n  → correct it\n",
		"10.0.0.2:80": "p/web/10.0.0.2:80 does not serve: not in allow_networks\n  → change it\n",
		"\x1b[2J":     `p/web/\u001b[2J does not serve: not an ip:port`,
	} {
		p := page()
		if err := Explain(t.Context(), answers, p, ParseName("p/web/"+name)); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(p.String(), want) || !strings.Contains(p.String(), "registered: yes") {
			t.Errorf("%q: it is not %q:\n%s", name, want, p)
		}
	}
}

// The first line is the answer, and what to do follows.
func TestExplain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		of        string
		readyz    string
		instances []query.InstanceDetail
		first     string
		also      []string
	}{
		"up":            {"p/web/" + address, "", []query.InstanceDetail{instance(address, "up", "registry", "registered", "up", "up")}, "p/web/10.0.0.1:80 serves: up in all 2 workers since ", []string{"registered: yes"}},
		"mapped":        {"p/web/[::ffff:10.0.0.1]:80", "", []query.InstanceDetail{instance(address, "up", "registry", "registered", "up")}, "p/web/10.0.0.1:80 serves: up in the only worker since ", nil},
		"down":          {"p/web/" + address, "", []query.InstanceDetail{instance(address, "down", "health check", "L4CON refused", "down")}, "p/web/10.0.0.1:80 does not serve: its health check fails in the only worker since ", []string{"(5m): L4CON refused", "→ repair the instance"}},
		"held":          {"p/web/" + address, `"held":{"web":["10.0.0.1:80"]},`, []query.InstanceDetail{instance(address, "held", "guard", "deregistered, held by the loss guard", "up")}, "p/web/10.0.0.1:80 serves although it has deregistered: the loss guard holds it", []string{"→ if that was intended: haproxy-zk release p/web", "registered: no longer"}},
		"operator":      {"p/web/" + address, "", []query.InstanceDetail{instance(address, "maint", "operator", "maint", "maint")}, "p/web/10.0.0.1:80 does not serve: an operator set it to maint since ", []string{"set server web/web7 state ready"}},
		"agent":         {"p/web/" + address, "", []query.InstanceDetail{instance(address, "drain", "agent check or operator", "drain", "drain")}, "p/web/10.0.0.1:80 does not serve: its agent check, or an operator, set it to drain", nil},
		"deregistered":  {"p/web/" + address, "", []query.InstanceDetail{instance(address, "maint", "registry", "deregistered", "maint")}, "p/web/10.0.0.1:80 does not serve: it has deregistered", []string{"registered: no longer"}},
		"starting":      {"p/web/" + address, "", []query.InstanceDetail{instance(address, "starting", "registry", "registered", "starting")}, "p/web/10.0.0.1:80 is starting since ", nil},
		"differs":       {"p/web/" + address, "", []query.InstanceDetail{instance(address, "down", "health check", "L4TOUT", "up", "down")}, "p/web/10.0.0.1:80 serves in 1 of 2 workers only: worker 101 has it down since ", nil},
		"flapping":      {"p/web/" + address, "", []query.InstanceDetail{instance(address, "waiting", "guard", "flapping, its return is delayed")}, "p/web/10.0.0.1:80 does not serve: flapping, its return is delayed", []string{"→ stabilize its ZooKeeper session"}},
		"full":          {"p/web/" + address, `"full":["web"],`, []query.InstanceDetail{instance(address, "waiting", "registry", "registered, no server is left for it")}, "p/web/10.0.0.1:80 does not serve: registered, no server is left", []string{"→ deregister what is not an instance"}},
		"reload fails":  {"p/web/" + address, `"problem":"start HAProxy: [NOTICE] (1) : path [ALERT] (1) : no memory",`, []query.InstanceDetail{instance(address, "waiting", "registry", "registered, no worker has it yet")}, "p/web/10.0.0.1:80 does not serve: registered, no worker has it yet: start HAProxy: [ALERT] (1) : no memory", nil},
		"waiting":       {"p/web/" + address, "", []query.InstanceDetail{instance(address, "waiting", "registry", "registered, no worker has it yet")}, "p/web/10.0.0.1:80 does not serve: registered, no worker has it yet", []string{"→ wait for the reload"}},
		"unregistered":  {"p/web/10.0.0.2:80", "", []query.InstanceDetail{instance(address, "up", "registry", "registered", "up")}, "p/web/10.0.0.2:80 does not serve: it is not registered", []string{"similar: 10.0.0.1:80", "decoded: IPv4 address 10.0.0.2, port 80"}},
		"elsewhere":     {"p/web/10.0.0.3:80", "", nil, "p/web/10.0.0.3:80 does not serve here: it is registered in the group api", []string{"→ haproxy-zk explain p/api/10.0.0.3:80"}},
		"not read":      {"p/web/10.0.0.2:80", `"waiting":["web"],`, nil, "p/web/10.0.0.2:80 does not serve: the group was not read from ZooKeeper yet", nil},
		"refused":       {"p/web/10.0.0.2:80", `"registrations":{"web":{"usable":1,"found":[{"kind":"refused","count":2,"example":"10.0.0.9:80","problem":"not in allow_networks","remedy":"change it"}]}},`, nil, "p/web/10.0.0.2:80 does not serve: it is not registered, or it is one of 2 that are refused, such as 10.0.0.9:80: not in allow_networks", []string{"→ change it"}},
		"host name":     {"p/web/app.example:80", `"registrations":{"web":{"usable":0,"found":[{"kind":"host_name","count":3,"example":"b:80","problem":"a host name instead of an IP address","remedy":"use ip:port"}]}},`, nil, "p/web/app.example:80 does not serve: its name is not a usable ip:port: a host name instead of an IP address", []string{"→ use ip:port", "3 children of this form are registered"}},
		"port 0":        {"p/web/10.0.0.1:0", "", nil, "p/web/10.0.0.1:0 does not serve: its name is not a usable ip:port: the port is 0", []string{"registered: unknown"}},
		"hostile":       {"p/web/\x1b[2J\u202e", "", nil, `p/web/\u001b[2J\u202e does not serve: its name is not a usable ip:port`, nil},
		"URL":           {"p/web/http://10.0.0.1/x", "", nil, "p/web/http://10.0.0.1/x does not serve: its name is not a usable ip:port", nil},
		"group":         {"p/web", "", []query.InstanceDetail{instance(address, "up", "registry", "registered", "up")}, "p/web serves with all of its 1 instance", nil},
		"group in part": {"p/web", "", []query.InstanceDetail{instance(address, "up", "registry", "registered", "up"), instance("10.0.0.2:80", "down", "health check", "L4CON", "down")}, "p/web serves with 1 of 2 instances: 1 down", []string{"→ repair the instances that are down", "10.0.0.2:80  down"}},
		"group down":    {"p/web", "", []query.InstanceDetail{instance(address, "down", "health check", "L4CON", "down")}, "p/web does not serve, its requests fail: 1 down", nil},
		"empty group":   {"p/web", `"registrations":{"web":{"usable":0,"found":[{"kind":"uuid","count":4,"example":"x","problem":"a UUID","remedy":"use ip:port"}]}},`, nil, "p/web has no instance, its requests fail", []string{"→ use ip:port", "skipped: 4 such as x: a UUID"}},
	} {
		p := page()
		if err := Explain(t.Context(), about(t, test.readyz, test.instances...), p, ParseName(test.of)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.HasPrefix(p.String(), test.first) {
			t.Errorf("%s: the first line is not %q\n%s", name, test.first, p)
		}
		for _, text := range test.also {
			if !strings.Contains(p.String(), text) {
				t.Errorf("%s: no %q\n%s", name, text, p)
			}
		}
	}
}

// A group says how it gets its servers unless it has slots, as everybody expects.
func TestExplainSaysHowAGroupIsCarried(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]string{
		`"carried_by":"slots"`:                              "",
		`"carried_by":"slots","carried_reason":"static-rr"`: "carried by: slots: static-rr",
		`"carried_by":"servers"`:                            "carried by: servers, added and deleted without a reload",
	} {
		answers := about(t, "")
		answers["/p/web?detail"] = `{"p":{"web":{"instances":[],` + detail + `}}}`
		p := page()
		if err := Explain(t.Context(), answers, p, ParseName("p/web")); err != nil {
			t.Fatal(err)
		}
		if want == "" && strings.Contains(p.String(), "carried by") || !strings.Contains(p.String(), want) {
			t.Errorf("%s: not %q\n%s", detail, want, p)
		}
	}
}

func TestUnknownNamesAreSuggested(t *testing.T) {
	t.Parallel()
	answers := about(t, "")
	for of, want := range map[string]string{
		"q/web/x":      `there is no proxy "q": it is none of p`,
		"p/webs/x":     `there is no group "webs" in proxy p: did you mean web?`,
		"p/nothing/10": `there is no group "nothing" in proxy p: it is none of api, web`,
	} {
		err := Explain(t.Context(), answers, page(), ParseName(of))
		var unknown *UnknownError
		if !errors.As(err, &unknown) || err.Error() != want {
			t.Errorf("%s: %v, want %s", of, err, want)
		}
	}
}

func TestPortThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	if err := Explain(t.Context(), port{"/": "", "/readyz": ""}, page(), ParseName("p/web")); err == nil || err.Error() != "connection refused" {
		t.Errorf("%v", err)
	}
	answers := about(t, "")
	delete(answers, "/p/web?detail")
	p := page()
	if err := Explain(t.Context(), answers, p, ParseName("p/web/"+address)); err != nil || !strings.HasPrefix(p.String(), "p/web/10.0.0.1:80 is registered, and HAProxy does not say whether it serves: /p/web?detail is answered 404: nothing there") {
		t.Errorf("%v\n%s", err, p)
	}
}

func TestGroupsWithProblemsAreFirst(t *testing.T) {
	t.Parallel()
	for of, want := range map[string]string{
		"":  "GROUP  UP  OF  PROBLEM\np/api   0   1  no instance is up, requests fail\np/web   1   1\n",
		"p": "GROUP  UP  OF  PROBLEM\np/api   0   1  no instance is up, requests fail\np/web   1   1\n",
	} {
		p := page()
		if warnings, err := Get(t.Context(), about(t, ""), p, ParseName(of), Table); err != nil || len(warnings) > 0 || p.String() != want {
			t.Errorf("%v, %v, got\n%s\nwant\n%s", err, warnings, p, want)
		}
	}
}

func TestNamesAndJSON(t *testing.T) {
	t.Parallel()
	answers := about(t, "")
	answers["/p/web"] = `{"p":{"web":{"instances":["10.0.0.1:80"]}}}`
	for f, want := range map[Format]string{Names: "p/web/10.0.0.1:80\n", JSON: answers["/p/web"]} {
		p := page()
		if _, err := Get(t.Context(), answers, p, Name{Proxy: "p", Group: "web"}, f); err != nil || p.String() != want {
			t.Errorf("%s: %v, %q", f, err, p)
		}
	}
	if _, err := Get(t.Context(), answers, page(), Name{Proxy: "p", Group: "webs"}, JSON); err == nil || err.Error() != `there is no group "webs" in proxy p: did you mean web?` {
		t.Error(err)
	}
}

func TestStatusBeginsWithTheAnswer(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"ready":true,"proxies":{"p":{"ready":true,"zookeeper":"connected"}}}`:                                                                            "haproxy-zk (process 7) is ready, no problem is known\n",
		`{"ready":false,"proxies":{"p":{"ready":false,"zookeeper":"connection refused","waiting":["web"]}}}`:                                               "haproxy-zk (process 7) is NOT READY: p: not read from ZooKeeper yet: web\n  p: ZooKeeper: connection refused\n",
		`{"ready":true,"proxies":{"p":{"ready":true,"zookeeper":"connected","zookeeper_round_trip_seconds":3}}}`:                                           "haproxy-zk (process 7) is ready, with problems: p: ZooKeeper is slow, changes come late: its latest answer took 3s\n",
		`{"ready":true,"configuration":{"error":"c.json:5: wrong","since":"2026-01-02T03:04:05Z"},"proxies":{"p":{"ready":true,"zookeeper":"connected"}}}`: "haproxy-zk (process 7) is ready, with problems: the configuration was rejected since 2026-01-02 ",
		`{"ready":true,"proxies":{"p":{"ready":true,"directory":"readable"}}}`:                                                                             "haproxy-zk (process 7) is ready, no problem is known\n",
		`{"ready":true,"proxies":{"p":{"ready":true}}}`:                                                                                                    "haproxy-zk (process 7) is ready, no problem is known\n",
		`{"ready":false,"proxies":{"p":{"ready":false,"directory":"no such file","waiting":["web"]}}}`:                                                     "haproxy-zk (process 7) is NOT READY: p: not read from the directory yet: web\n  p: the directory: no such file\n",
		`{"ready":false,"stopping":true,"proxies":{}}`:                                                                                                     "haproxy-zk (process 7) is stopping\n",
		`{"ready":false,"proxies":{}}`: "haproxy-zk (process 7) is NOT READY: no proxy serves\n",
		`{"ready":true,"node":"node-1","zone":"a","proxies":{"p":{"ready":true,"zookeeper":"connected"}}}`: "haproxy-zk (process 7) on node-1 in a is ready, no problem is known\n",
	} {
		p := page()
		if err := Status(p, 7, []byte(body), Wide); err != nil || !strings.HasPrefix(p.String(), want) {
			t.Errorf("%v, got\n%s\nwant\n%s", err, p, want)
		}
	}
	if err := Status(page(), 7, []byte("no JSON"), Table); err == nil {
		t.Error("no error")
	}
}

func TestExplainNamesTheDirectory(t *testing.T) {
	t.Parallel()
	for want, instances := range map[string][]query.InstanceDetail{
		"→ check the directory":                        nil,
		"→ nothing, if that was intended; else see":    {instance("10.0.0.2:80", "maint", "registry", "deregistered", "maint")},
		"→ find out what adds it to the directory and": {instance("10.0.0.2:80", "waiting", "guard", "flapping, its return is delayed")},
	} {
		all := about(t, "", instances...)
		all["/readyz"] = `{"ready":true,"proxies":{"p":{"ready":true,"directory":"readable"}}}`
		p := page()
		if err := Explain(t.Context(), all, p, ParseName("p/web/10.0.0.2:80")); err != nil {
			t.Fatal(err)
		}
		if text := p.String(); !strings.Contains(text, want) || !strings.Contains(text, "directory: readable") || strings.Contains(strings.ToLower(text), "zookeeper") {
			t.Error(text)
		}
	}
}

func TestStatusNamesTheSourcesThatThereAre(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][2]bool{
		`{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"connected"}}}`:                                                 {true, false},
		`{"ready":true,"proxies":{"a":{"ready":true,"directory":"readable"}}}`:                                                  {false, true},
		`{"ready":true,"proxies":{"a":{"ready":true,"directory":"readable"},"b":{"ready":true,"zookeeper":"connected"}}}`:       {true, true},
		`{"ready":true,"proxies":{"a":{"ready":true,"directory":"readable","zookeeper":"connected"}, "static":{"ready":true}}}`: {true, true},
		`{"ready":true,"proxies":{"static":{"ready":true}}}`:                                                                    {false, false},
	} {
		p := page()
		if err := Status(p, 7, []byte(body), Table); err != nil {
			t.Fatal(err)
		}
		text := p.String()
		if got := [2]bool{strings.Contains(text, "ZOOKEEPER"), strings.Contains(text, "DIRECTORY")}; got != want || strings.Contains(text, "readable") != want[1] {
			t.Errorf("%s\n%s", body, text)
		}
	}
}

func TestStatusSaysHowGroupsAreCarried(t *testing.T) {
	t.Parallel()
	p := page()
	body := `{"ready":true,"proxies":{"a":{"ready":true,"carried_by":{"slots":2,"backends":3,"servers":1}},"b":{"ready":true}}}`
	if err := Status(p, 7, []byte(body), Table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GROUPS CARRIED BY", "  3 backends, 1 servers, 2 slots"} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, p)
		}
	}
}

func TestTimesAndNumbersForPeople(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for d, want := range map[time.Duration]string{-time.Minute: "0s", 119 * time.Second: "119s", 2 * time.Minute: "2m", 3*time.Hour + 5*time.Minute: "3h05m", 50 * time.Hour: "2d"} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	if got := at(now.Add(-time.Hour), now) + ", " + at(now.Add(-24*time.Hour), now); got != "14:04:05, 2026-01-01 15:04:05" {
		t.Error(got)
	}
	for n, want := range map[float64]string{0: "0B", 999: "999B", 1000: "1.0kB", 123456: "123kB", 5e9: "5.0GB", 7e15: "7000.0TB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%v: %s, want %s", n, got, want)
		}
	}
}

// What render --diff shows has neither secrets nor differences of instances.
func TestDiff(t *testing.T) {
	t.Parallel()
	answers := about(t, "")
	answers["/p/config"] = "global\n    maxconn 10\n    stats [secret]\n"
	intended := func(text string) []Intended {
		return []Intended{{"p", func(running string, groups []string) []byte {
			if !strings.Contains(running, "maxconn 10") || strings.Join(groups, " ") != "api web" {
				t.Errorf("%q, %q", running, groups)
			}
			return []byte(text)
		}}}
	}
	for text, want := range map[string]string{
		"global\n    maxconn 20\n    stats auth a:secret\n": "--- p as it runs\n+++ p after a reload\n@@ -1,3 +1,3 @@\n global\n-    maxconn 10\n-    stats [secret]\n+    maxconn 20\n+    stats auth [secret]\n",
		"global\n    maxconn 10\n    stats [secret]\n":      "p: a reload would change nothing",
	} {
		p := page()
		if err := Diff(t.Context(), answers, p, intended(text)); err != nil || !strings.HasPrefix(p.String(), want) {
			t.Errorf("%v\n%s\nwant\n%s", err, p, want)
		}
	}
	p := page()
	if err := Diff(t.Context(), answers, p, []Intended{{Proxy: "new"}}); err != nil || p.String() != "new does not run: a reload would start it\np is not in the configuration: a reload would stop it\n" {
		t.Errorf("%v\n%s", err, p)
	}
}

// FuzzParseName checks that the parts of a name never reach another path of the API.
func FuzzParseName(f *testing.F) {
	for _, text := range []string{"p", "p/web", "/p/web/10.0.0.1:80", "p//", "a b/c?d/e#f", "../x/y"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := ParseName(text)
		if strings.Count(n.Path(), "/") > 2 || strings.ContainsAny(n.Path(), "?# \x00\n") {
			t.Errorf("%q has the path %q", text, n.Path())
		}
		if again := ParseName(n.String()); n.Proxy != "" && n.Group != "" && again != n {
			t.Errorf("%+v, then %+v", n, again)
		}
	})
}

func TestFormatsAreExplained(t *testing.T) {
	t.Parallel()
	p := about(t, `"formats":{"web":{"curator":2,"nerve":1}},`, instance(address, query.StateUp, "", "", query.StateUp))
	const formats = "curator (2), nerve (1)"
	for instance, want := range map[string]string{address: "format: " + formats, "member_0000000001": "read as " + formats} {
		shown := page()
		if err := Explain(t.Context(), p, shown, Name{Proxy: "p", Group: "web", Instance: instance}); err != nil || !strings.Contains(shown.String(), want) {
			t.Errorf("%s: %v\n%s", instance, err, shown)
		}
	}
}
