package query

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/events"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// description is the parsed openapi.json, and which of its responses were validated.
type description struct {
	*openapi3.T
	seen map[string]bool // as in "/ 200"
}

func parseDescription(t *testing.T) *description {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err == nil {
		err = doc.Validate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return &description{doc, make(map[string]bool)}
}

// The document has the paths and parameters of the routes, in their words.
func TestDescriptionHasEveryRoute(t *testing.T) {
	t.Parallel()
	d := parseDescription(t)
	if d.OpenAPI != "3.1.0" {
		t.Errorf("version %s", d.OpenAPI)
	}
	type entry struct {
		Does       string
		Parameters []string
		Open       bool
	}
	want, got := make(map[string]entry), make(map[string]entry)
	for _, rt := range routes() {
		e := entry{Does: rt.does, Open: rt.open}
		for element := range strings.SplitSeq(rt.path, "/") {
			if name, ok := strings.CutPrefix(element, "{"); ok {
				e.Parameters = append(e.Parameters, "path "+strings.TrimSuffix(name, "}"))
			}
		}
		for _, p := range rt.parameters {
			e.Parameters = append(e.Parameters, "query "+p.name+": "+p.does)
		}
		want[rt.path] = e
	}
	for path, item := range d.Paths.Map() {
		e := entry{Does: item.Get.Summary, Open: item.Get.Security != nil && len(*item.Get.Security) == 0}
		for _, p := range item.Get.Parameters {
			switch p.Value.In {
			case "path":
				e.Parameters = append(e.Parameters, "path "+p.Value.Name)
			case "query":
				e.Parameters = append(e.Parameters, "query "+p.Value.Name+": "+p.Value.Description)
			}
		}
		got[path] = e
		if len(item.Operations()) != 1 {
			t.Errorf("%s has operations besides get", path)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-routes +openapi.json\n%s", diff)
	}
}

// undescribed are headers that every answer may have.
func undescribed() []string {
	return []string{"Cache-Control", "Connection", "Content-Length", "Content-Type", "X-Content-Type-Options"}
}

// check validates an answer to a request for a path of the document.
func (d *description) check(t *testing.T, path string, r *http.Request, answer *http.Response) {
	t.Helper()
	operation := d.Paths.Value(path).Get
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	status := strconv.Itoa(answer.StatusCode)
	described := operation.Responses.Value(status)
	if described == nil {
		t.Errorf("%s: status %s is not described", r.URL, status)
		return
	}
	d.seen[path+" "+status] = true
	for name := range answer.Header {
		known := slices.ContainsFunc(slices.Collect(maps.Keys(described.Value.Headers)), func(header string) bool { return strings.EqualFold(header, name) })
		if !known && !slices.Contains(undescribed(), name) {
			t.Errorf("%s, status %s: the header %s is not described", r.URL, status, name)
		}
	}
	if len(described.Value.Content) == 0 && len(body) > 0 {
		t.Errorf("%s, status %s: a body is not described: %s", r.URL, status, body)
	}
	if answer.Header.Get("Content-Encoding") != "" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			body, err = io.ReadAll(z)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: r,
			Route:   &routers.Route{Spec: d.T, Path: path, PathItem: d.Paths.Value(path), Method: http.MethodGet, Operation: operation},
		},
		Status: answer.StatusCode, Header: answer.Header, Body: io.NopCloser(bytes.NewReader(body)),
		// The library knows no form of a stream, nor of the page.
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: !slices.Contains([]string{typeJSON, typeText}, answer.Header.Get("Content-Type"))},
	}
	if err := openapi3filter.ValidateResponse(t.Context(), input); err != nil {
		t.Errorf("%s, status %s: %v\n%s", r.URL, status, err, body)
	}
}

// eventful returns a proxy of which everything that can be said is said.
func eventful(t *testing.T) *proxy {
	t.Helper()
	p := wide()
	p.configFile = configFile(t, strings.Repeat("    maxconn 1000\n", 200))
	web := instance("10.0.0.1:80")
	s := *p.Snapshot()
	s.Waiting, s.Down, s.Full, s.ReloadError = []string{registry.AllGroups, "web-0"}, []string{"web-1"}, []string{"web-1"}, "exit code 1"
	for _, kind := range []registry.RemarkKind{registry.Held, registry.Damped, registry.Operator, registry.Agent} {
		s.Remarks = append(s.Remarks, registry.Remark{Group: "web-1", Instance: web, Kind: kind, Text: "drain"})
	}
	p.snapshot.Store(&s)
	p.contact = registry.ConnectionStatus{Last: time.Now(), Problem: "connection refused", Server: "10.0.0.1:2181", RoundTrip: time.Millisecond, Recalled: []string{"web-2"}}
	for i := range maxRegistrations + 1 {
		p.registrations = append(p.registrations, registry.Registrations{Group: "g" + strconv.Itoa(i), Usable: 1, Findings: []registry.Finding{{Kind: "uuid", Count: 2, Example: "x", Problem: "no address", Remedy: "register one"}}})
	}
	p.registrations = append(p.registrations, registry.Registrations{Group: "web-1", Usable: 1, Skipped: []registry.Skipped{{Name: "x", Kind: "uuid", Problem: "no address", Remedy: "register one"}}})
	p.generations = []supervisor.Generation{{PIDs: []int{7}, Since: time.Now()}, {PIDs: []int{8}, Draining: true, Since: time.Now()}}
	return p
}

// Every answer is as the document describes it, and nothing is described that is never
// answered.
func TestAnswersMatchDescription(t *testing.T) {
	t.Parallel()
	d := parseDescription(t)
	full := newServer(eventful(t), serving("q", group("web", "[2001:db8::1]:80")))
	full.configuration = func() (string, time.Time) { return "config.json:1: wrong", time.Now() }
	full.Stop()
	ring := events.NewRing()
	full.events = ring
	ring.Append(entered("p", "web-1", 1))
	ring.Append(registry.Event{Kind: registry.EventReload, Proxy: "p", Reason: "slots", Detail: "<x>"})
	_, reading := mixed()
	reading.Groups[0].Name, reading.Silent = "web-1", []int{7}
	full.statistics = func(context.Context, string, string) (*stats.Reading, error) { return reading, nil }
	well := newServer(serving("p", group("web-1", "10.0.0.1:80")))
	empty := newServer()
	empty.metrics = nil
	broken := newServer(serving("p", group("web-1")))
	broken.limit.maximumBlocked = 0
	broken.events, broken.streams.slots = ring, nil
	broken.scrapes = &scrapes{slots: make(chan struct{}, 1)}
	broken.scrapes.slots <- struct{}{}
	guarded := newServer(serving("p"))
	guarded.SetAccess(newSecure(t).load())

	for _, rt := range routes() {
		target := strings.NewReplacer("{proxy}", "p", "{group}", "web-1").Replace(rt.path)
		ask := func(p *port, target string, headers ...string) *http.Response {
			r := httptest.NewRequest(http.MethodGet, target, nil)
			for _, h := range headers {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Set(name, value)
			}
			// A scrape that finds no place waits for as long as its client.
			ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), memberKey{}, &member{connLimit: &p.limit}), 100*time.Millisecond)
			defer cancel()
			w := httptest.NewRecorder()
			p.ServeHTTP(w, r.WithContext(ctx))
			answer := w.Result()
			d.check(t, rt.path, r, answer)
			return answer
		}
		for _, s := range []*Server{full, well, empty, broken, guarded} {
			ask(all(s), target)
		}
		ask(all(full), target+"?unknown=1")
		ask(all(full), target, "Accept-Encoding: gzip")
		ask(all(full), target, "Accept: text/html")
		ask(all(guarded), target, "Accept: text/html")
		ask(all(full), target, "If-None-Match: *")
		ask(all(full), target+"?detail")
		ask(all(full), target+"?passing")
		ask(all(well), target+"?detail")
		for _, s := range []*Server{full, well, guarded} {
			ask(all(s), target+"?top=errors")
		}
		ask(all(full), target, "Accept: text/event-stream")
		ask(all(broken), target, "Accept: text/event-stream")
		ask(&port{Server: full}, target)
		for _, missing := range []string{"{proxy}", "{group}"} {
			if strings.Contains(rt.path, missing) {
				ask(all(full), strings.NewReplacer(missing, "x", "{proxy}", "p", "{group}", "web-1").Replace(rt.path))
			}
		}
		index := ask(all(broken), target).Header.Get("Haproxy-Zk-Index")
		ask(all(broken), fmt.Sprintf("%s?index=%s", target, index))
		ask(all(well), target+"?index=1&wait=soon")
	}

	for path, item := range d.Paths.Map() {
		for status := range item.Get.Responses.Map() {
			if !d.seen[path+" "+status] {
				t.Errorf("%s: status %s is described, and was not answered here", path, status)
			}
		}
	}
}
