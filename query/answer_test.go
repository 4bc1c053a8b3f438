package query

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestHeaders(t *testing.T) {
	s := newServer(seed()...)
	w := get(s, "/ngboss")
	_, e := s.documents.read()
	want := http.Header{
		"Age":                    {"0"},
		"Etag":                   {`W/"1eee868c20976002ff200985e37313eb"`},
		"Haproxy-Zk-Index":       {strconv.FormatUint(e.number, 10)},
		"Cache-Control":          {"no-store"},
		"Content-Length":         {strconv.Itoa(w.Body.Len())},
		"Content-Type":           {"application/json"},
		"X-Content-Type-Options": {"nosniff"},
	}
	if diff := cmp.Diff(want, w.Header()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFreshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(contacts(
			registry.ConnectionStatus{Connected: true, Last: time.Now()},
			registry.ConnectionStatus{Last: time.Now().Add(-90 * time.Second), Problem: "connection refused"},
			registry.ConnectionStatus{Problem: "no such host"},
			registry.ConnectionStatus{Connected: true, Last: time.Now().Add(time.Hour)},
			registry.ConnectionStatus{Connected: true, Last: time.Now(), Others: []registry.ConnectionStatus{{Source: registry.Directory, Last: time.Now().Add(-time.Minute)}}},
		)...)
		two := newServer(s.documents.proxies()[:2]...)
		<-time.After(2900 * time.Millisecond)

		for _, c := range []struct {
			server     *Server
			target     string
			age, stale string
		}{
			{s, "/p0", "2", ""},
			{s, "/p0/web", "2", ""},
			{s, "/p1/web", "92", "1"},
			{s, "/p1/nothing", "92", "1"},
			{s, "/p2", "", "1"},
			{s, "/p3", "0", ""}, // the clock was set back
			{s, "/p4", "62", "1"},
			{s, "/", "", "1"},
			{two, "/", "92", "1"},
			{newServer(), "/", "", ""},
			{s, "/nothing", "", ""},
		} {
			h := get(c.server, c.target).Header()
			if h.Get("Age") != c.age || h.Get("Haproxy-Zk-Stale") != c.stale {
				t.Errorf("%s: Age %q, Haproxy-Zk-Stale %q; want %q, %q",
					c.target, h.Get("Age"), h.Get("Haproxy-Zk-Stale"), c.age, c.stale)
			}
		}
	})
}

func TestHeldInstancesAreCountedInHeader(t *testing.T) {
	p, q := serving("p", group("web", "10.0.0.1:1"), group("api")), serving("q", group("web"))
	shown := *p.snapshot.Load()
	shown.Remarks = []registry.Remark{
		{Group: "web", Instance: instance("10.0.0.1:1"), Kind: registry.Held},
		{Group: "api", Instance: instance("10.0.0.2:1"), Kind: registry.Damped},
	}
	p.snapshot.Store(&shown)
	s := newServer(p, q)
	for target, want := range map[string]string{"/": "1", "/p": "1", "/p/web": "1", "/p/api": "", "/q": "", "/q/web": ""} {
		w := get(s, target)
		if got := w.Header().Get("Haproxy-Zk-Held"); got != want || w.Code != http.StatusOK {
			t.Errorf("%s: status %d, held %q, want %q", target, w.Code, got, want)
		}
	}
}

func contacts(all ...registry.ConnectionStatus) []Proxy {
	var out []Proxy
	for i, c := range all {
		p := serving("p"+strconv.Itoa(i), group("web", "10.0.0.1:1"))
		p.contact = c
		out = append(out, p)
	}
	return out
}

func TestNotFound(t *testing.T) {
	var groups []*registry.Group
	for _, name := range names(maxNames+3, "g") {
		groups = append(groups, group(name))
	}
	some := newServer(serving("ngboss", group("web"), group("metrics")), serving("many", groups...))
	var proxies []Proxy
	for _, name := range names(maxNames+1, "p") {
		proxies = append(proxies, serving(name))
	}
	many := newServer(proxies...)
	both := []string{"ngboss", "many"}
	const paths = "/, /{proxy}, /{proxy}/{group}, /healthz, /readyz, /metrics, /events, /{proxy}/config, /openapi.json or /ui"

	for _, c := range []struct {
		server *Server
		target string
		want   problem
	}{
		{some, "/x", problem{Error: `no proxy "x"`, Proxies: both}},
		{some, "/x/web", problem{Error: `no proxy "x"`, Proxies: both}},
		{some, "//", problem{Error: `no proxy ""`, Proxies: both}},
		{some, "//ngboss", problem{Error: `no proxy ""`, Proxies: both}},
		{some, "/NGBOSS", problem{Error: `no proxy "NGBOSS"`, Proxies: both}},
		{some, "/ngboss%2Fweb", problem{Error: `no proxy "ngboss/web"`, Proxies: both}},
		{some, "/..", problem{Error: `no proxy ".."`, Proxies: both}},
		{some, "/%22%3C%00%FF", problem{Error: `no proxy "\"<\x00\xff"`, Proxies: both}},
		{some, "/" + strings.Repeat("y", 1000), problem{Error: `no proxy "` + strings.Repeat("y", maxEcho) + `"…`, Proxies: both}},
		{some, "/ngboss/x", problem{Error: `no group "x" in proxy "ngboss"`, Groups: []string{"web", "metrics"}}},
		{some, "/ngboss//", problem{Error: `no group "" in proxy "ngboss"`, Groups: []string{"web", "metrics"}}},
		{some, "/many/x", problem{Error: `no group "x" in proxy "many"`, Groups: names(maxNames, "g"), More: 3}},
		{some, "/ngboss/web/x", problem{Error: "no such path: use " + paths, Proxies: both}},
		{some, "/ngboss/web//", problem{Error: "no such path: use " + paths, Proxies: both}},
		{some, "/a/b/c/d/e/f", problem{Error: "no such path: use " + paths, Proxies: both}},
		{many, "/x", problem{Error: `no proxy "x"`, Proxies: names(maxNames, "p"), More: 1}},
		{newServer(), "/x", problem{Error: `no proxy "x"`, Proxies: []string{}}},
	} {
		t.Run(c.target, func(t *testing.T) {
			w := get(c.server, c.target)
			if w.Code != http.StatusNotFound {
				t.Errorf("status %d", w.Code)
			}
			expectProblem(t, w.Body.Bytes(), c.want)
		})
	}
}

func TestReservedNames(t *testing.T) {
	for _, name := range []string{"metrics", "static", "favicon.ico"} {
		s := newServer(serving(name, group("web")))
		s.metrics = nil
		for _, target := range []string{"/" + name, "/" + name + "/web"} {
			w := get(s, target)
			if w.Code != http.StatusNotFound {
				t.Errorf("%s: status %d", target, w.Code)
			}
			expectProblem(t, w.Body.Bytes(), problem{Error: `nothing at "` + name + `"`, Proxies: []string{name}})
		}
	}
	if w := get(newServer(serving("ngboss", group("metrics"))), "/ngboss/metrics"); w.Code != http.StatusOK {
		t.Errorf("a group may have a name that no proxy may: status %d", w.Code)
	}
}

func expectProblem(t *testing.T, body []byte, want problem) {
	t.Helper()
	var got problem
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOtherMethods(t *testing.T) {
	s := newServer(seed()...)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "M-SEARCH!"} {
		for _, target := range []string{"/", "/ngboss", "/nothing", "/healthz", "/readyz", "/metrics"} {
			w := ask(s, method, target)
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: status %d, Allow %q", method, target, w.Code, w.Header().Get("Allow"))
			}
			expectProblem(t, w.Body.Bytes(), problem{Error: "method " + strconv.Quote(method) + " is not allowed: use GET or HEAD"})
		}
	}
}

func TestMetrics(t *testing.T) {
	w := get(newServer(), "/metrics")
	if w.Code != http.StatusOK || w.Body.String() != "haproxyzk_build_info 1\n" {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
}
