package query

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/events"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
	"github.com/haproxy-zk/haproxy-zk/ui"
)

// browser is what Chromium accepts.
const browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// A browser that asks for everything gets the page, and a program its document; caches know
// what it depends on.
func TestBrowserIsSentToThePage(t *testing.T) {
	t.Parallel()
	s := newServer(seed()...)
	for _, tt := range []struct {
		target, accept string
		page           bool
	}{
		{"/", browser, true},
		{"/", "Accept: */*", false},
		{"/", "Accept: application/json", false},
		{"/", "Accept: application/json, text/html;q=0.9", false},
		{"/", "Accept: text/html;q=0, */*", false},
		{"/", "Accept: text/html;q=x", false},
		{"/", "", false},
		{"/?index=0", browser, false},
		{"/ngboss", browser, false},
	} {
		r := askWith(s, tt.target, tt.accept)
		if got := r.StatusCode == http.StatusSeeOther && r.Header.Get("Location") == ui.Path; got != tt.page {
			t.Errorf("%s with %s: status %d", tt.target, tt.accept, r.StatusCode)
		}
		if vary := r.Header.Get("Vary"); !strings.HasPrefix(tt.target, "/ngboss") && !regexp.MustCompile(`\bAccept\b(?:,|$)`).MatchString(vary) {
			t.Errorf("%s with %s varies by %q", tt.target, tt.accept, vary)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "text/html")
	(&port{Server: s}).ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != typeJSON {
		t.Errorf("beside HTTP_DETAIL_ADDR: status %d", w.Code)
	}
}

// A browser gives the token as the password of any user, and is asked for it where people
// go.
func TestTokenAsPassword(t *testing.T) {
	t.Parallel()
	files := newSecure(t)
	server := newServer(serving("p", group("web")))
	server.SetAccess(files.load())
	basic := func(text string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(text))
	}
	for header, want := range map[string]int{
		basic("anyone:canary-token"):  http.StatusOK,
		basic(":canary-token"):        http.StatusOK,
		basic("canary-token"):         http.StatusUnauthorized,
		basic("canary-token:"):        http.StatusUnauthorized,
		basic("a:b:canary-token"):     http.StatusUnauthorized,
		basic("a:canary-token") + "!": http.StatusUnauthorized,
		"Authorization: Basic":        http.StatusUnauthorized,
	} {
		for _, target := range []string{"/ui", "/ui/script.js", "/p/web"} {
			if r := askWith(server, target, header); r.StatusCode != want {
				t.Errorf("%s with %q: status %d", target, header, r.StatusCode)
			}
		}
	}
	for target, asks := range map[string]bool{"/": true, "/ui": true, "/p": false, "/ui/stream": true, "/nothing": false} {
		r := askWith(server, target, browser)
		if got := strings.Contains(strings.Join(r.Header.Values("Www-Authenticate"), ","), "Basic realm"); got != asks || r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d, it asks: %t", target, r.StatusCode, got)
		}
	}
}

// The page has the state of each instance, and what it is due to.
func TestPage(t *testing.T) {
	t.Parallel()
	s := live(mixed())
	r := askWith(s, "/ui?q=web&lang=en", browser)
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Security-Policy") != ui.Policy || r.Header.Get("Vary") != "Accept-Language" {
		t.Fatalf("status %d, %v", r.StatusCode, r.Header)
	}
	fold := regexp.MustCompile(`class="fold" href="([^"]+)"`).FindSubmatch(body)
	if fold == nil {
		t.Fatalf("no group in %s", body)
	}
	r = askWith(s, strings.ReplaceAll(string(fold[1]), "&amp;", "&"), browser)
	if body, _ = io.ReadAll(r.Body); r.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", r.StatusCode, body)
	}
	for _, want := range []string{
		"10.0.0.2:80", "health check: <bdi>L7STS (wrong status) HTTP &lt;503&gt;</bdi>", "deregistered, held by the loss guard", "flapping, its return is delayed",
		"workers differ", ">1 held<", ">1 down<", "Maintenance", `<td class="number bad" data-name="Up">3</td>`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s", want)
		}
	}
	for _, wrong := range []string{"/ui?sort=x", "/ui?page=0", "/ui?kind=x", "/ui?x=1", "/ui/stream?since=1y", "/ui?lang=fr"} {
		if r := askWith(s, wrong, browser); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d", wrong, r.StatusCode)
		}
	}
}

// The counts of a group are those of its details.
func TestSummary(t *testing.T) {
	t.Parallel()
	groups := summarize(mixed())
	got := groups[0]
	got.Members = nil
	want := ui.Group{Proxy: "p", Name: "web", Registered: 8, Up: 3, Down: 1, Held: 1, Waiting: 2, Starting: 2, Changed: 1, Different: 3, Reported: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if fresh := groups[1]; fresh.Waiting != 1 || fresh.Reported {
		t.Errorf("%+v", fresh)
	}
}

// A stream sends what has changed of the page that the client has, and nothing else.
func TestPageStream(t *testing.T) {
	t.Parallel()
	p := serving("p", group("web", "10.0.0.1:80"))
	ring := events.NewRing()
	s := New(Options{Proxies: func() []Proxy { return []Proxy{p} }, Logger: newServer().logger, Events: ring, Statistics: func(context.Context, string, string) (*stats.Reading, error) {
		return &stats.Reading{Proxy: "p", Workers: 1}, nil
	}})
	server := httptest.NewUnstartedServer(all(s))
	server.Config.ConnContext = nil
	server.Start()
	t.Cleanup(server.Close)
	page := askWith(s, "/ui", browser)
	text, _ := io.ReadAll(page.Body)
	mark := regexp.MustCompile(`data-mark="([0-9a-f]+)"`).FindSubmatch(text)
	if mark == nil {
		t.Fatalf("no mark in %s", text)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/ui/stream?in=en&mark="+string(mark[1]), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	next := func() string {
		t.Helper()
		for lines.Scan() {
			if data, is := strings.CutPrefix(lines.Text(), "data: "); is {
				return data
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return ""
	}
	if got := next(); got != `{"build":"`+s.pages.Build+`"}` {
		t.Errorf("it begins with %s", got)
	}
	ring.Append(registry.Event{Kind: registry.EventReload, Proxy: "p"})
	if got := next(); !strings.HasPrefix(got, `{"events":{"o":["e1"],"n":{"e1":"<tr`) {
		t.Errorf("an event is %s", got)
	}
	p.snapshot.Store(&registry.Snapshot{Proxy: "p", Groups: []*registry.Group{group("web", "10.0.0.1:80", "10.0.0.2:80")}})
	if got := next(); !strings.Contains(got, `"2":"<td class=\"number\" data-name=\"Registered\">2</td>"`) || strings.Contains(got, `"n"`) {
		t.Errorf("an instance is %s", got)
	}
	cancel()
}
