package query

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
)

// reported returns what two workers report of an instance, with these statuses.
func reported(addr string, statuses ...haproxy.Status) stats.Instance {
	i := stats.Instance{Addr: netip.MustParseAddrPort(addr), Up: true, Weight: 1}
	for n, status := range statuses {
		s := stats.Server{PID: 100 + n, Name: "web1", Status: status, Weight: 1, Sessions: 2, Since: time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)}
		if status == haproxy.StatusDown {
			s.Check = haproxy.Check{Status: "L7STS", Code: 503, Duration: 2 * time.Millisecond, Text: "HTTP <503>"}
		}
		i.Servers, i.Sessions, i.Up = append(i.Servers, s), i.Sessions+2, i.Up && status == haproxy.StatusUp
	}
	i.Up = i.Up && len(statuses) == 2
	return i
}

// live returns a server of one proxy, whose workers report a reading.
func live(s *registry.Snapshot, r *stats.Reading) *Server {
	p := serving(s.Proxy)
	p.snapshot.Store(s)
	return New(Options{
		Proxies: func() []Proxy { return []Proxy{p} }, Logger: slog.New(slog.DiscardHandler),
		Statistics: func(ctx context.Context, proxy, _ string) (*stats.Reading, error) {
			if proxy != s.Proxy {
				return nil, errors.New("another proxy")
			}
			return r, ctx.Err()
		},
	})
}

const up, down, maint, drain = haproxy.StatusUp, haproxy.StatusDown, haproxy.StatusMaint, haproxy.StatusDrain

// mixed is a proxy with an instance in each state.
func mixed() (*registry.Snapshot, *stats.Reading) {
	starting := reported("10.0.0.3:80", up, up)
	starting.Servers[0].Starting = true
	unchecked := reported("10.0.0.4:80", down, down)
	for i := range unchecked.Servers {
		unchecked.Servers[i].Check = haproxy.Check{Status: "INI"}
	}
	gone := stats.Instance{Addr: netip.MustParseAddrPort("10.0.0.99:80"), Gone: true}
	s := &registry.Snapshot{Proxy: "p", Groups: []*registry.Group{
		group("web", "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80", "10.0.0.5:80", "10.0.0.6:80", "10.0.0.8:80", "10.0.0.9:80"),
		group("new", "10.0.0.1:81"),
	}}
	for addr, kind := range map[string]registry.RemarkKind{"10.0.0.5:80": registry.Operator, "10.0.0.6:80": registry.Held, "10.0.0.10:80": registry.Damped} {
		s.Remarks = append(s.Remarks, registry.Remark{Group: "web", Instance: instance(addr), Kind: kind, Text: map[registry.RemarkKind]string{registry.Operator: "maint"}[kind]})
	}
	return s, &stats.Reading{Proxy: "p", Workers: 2, Groups: []stats.Group{{Name: "web", Instances: []stats.Instance{
		reported("10.0.0.1:80", up, up), reported("10.0.0.2:80", up, down), starting, unchecked, reported("10.0.0.5:80", maint, maint),
		reported("10.0.0.6:80", up, up), reported("10.0.0.7:80", drain, drain), reported("10.0.0.8:80", up), gone,
	}}}}
}

func TestDetailOfEachState(t *testing.T) {
	t.Parallel()
	response := ask(live(mixed()), http.MethodGet, "/p/web?detail")
	var document map[string]map[string]struct{ Instances []instanceDetail }
	if err := json.Unmarshal(response.Body.Bytes(), &document); err != nil || response.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", response.Code, response.Body, err)
	}
	var got []string
	for _, i := range document["p"]["web"].Instances {
		line := strings.Join([]string{i.Address, i.State, i.SetBy, i.Reason}, ", ")
		if i.Differs {
			line += ", differs"
		}
		got = append(got, line)
	}
	want := []string{
		"10.0.0.1:80, up, registry, registered",
		"10.0.0.2:80, down, health check, L7STS HTTP <503>, differs",
		"10.0.0.3:80, starting, registry, registered, differs",
		"10.0.0.4:80, starting, registry, registered",
		"10.0.0.5:80, maint, operator, maint",
		"10.0.0.6:80, held, guard, deregistered, held by the loss guard",
		"10.0.0.7:80, drain, registry, deregistered",
		"10.0.0.8:80, up, registry, registered, differs",
		"10.0.0.9:80, waiting, registry, registered, no worker has it yet",
		"10.0.0.10:80, waiting, guard, flapping, its return is delayed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	since := time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC)
	two := document["p"]["web"].Instances[1]
	if two.Since == nil || !two.Since.Equal(since) || two.Sessions != 4 || len(two.Workers) != 2 {
		t.Errorf("%+v", two)
	}
	check := &checkDetail{"L7STS", 503, 0.002, "HTTP <503>"}
	if diff := cmp.Diff(workerDetail{PID: 101, Server: "web1", State: "down", Since: since, Weight: 1, Sessions: 2, LastCheck: check}, two.Workers[1]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestDetailNamesSkippedChildren(t *testing.T) {
	t.Parallel()
	s, r := mixed()
	server := live(s, r)
	proxies, _ := server.documents.read()
	proxies[0].(*proxy).registrations = []registry.Registrations{
		{Group: registry.AllGroups, Skipped: []registry.Skipped{{Name: "stray"}}},
		{Group: "web", Skipped: []registry.Skipped{{Name: "a", Kind: registry.Payload, Problem: "no data", Remedy: "write some"}, {Name: "b", Kind: registry.Waiting, Problem: "its registration says STARTING"}}},
	}
	for _, path := range []string{"/p?detail", "/p/web?detail"} {
		got := ask(server, http.MethodGet, path).Body.String()
		want := `],"skipped":[{"name":"a","kind":"payload","problem":"no data","remedy":"write some"},{"name":"b","kind":"waiting","problem":"its registration says STARTING","remedy":""}]}`
		if !strings.Contains(got, want) || strings.Count(got, "skipped") != 1 || strings.Contains(got, "stray") {
			t.Errorf("%s: no %s in %s", path, want, got)
		}
	}
}

func TestDetailOfFullGroup(t *testing.T) {
	t.Parallel()
	s, r := mixed()
	s.Full = []string{"web"}
	got := ask(live(s, r), http.MethodGet, "/p?detail").Body.String()
	for _, want := range []string{
		`{"address":"10.0.0.9:80","state":"waiting","set_by":"registry","reason":"registered, no server is left for it: the limit of servers is reached"`,
		`{"address":"10.0.0.1:81","state":"waiting","set_by":"registry","reason":"registered, no worker has it yet"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func TestDetailOfProxy(t *testing.T) {
	t.Parallel()
	s := live(mixed())
	whole := ask(s, http.MethodGet, "/p?detail")
	var document map[string]map[string]struct{ Instances []instanceDetail }
	if err := json.Unmarshal(whole.Body.Bytes(), &document); err != nil || len(document["p"]) != 2 || len(document["p"]["new"].Instances) != 1 {
		t.Fatalf("%s: %v", whole.Body, err)
	}
	if again := ask(s, http.MethodGet, "/p/?detail"); again.Body.String() != whole.Body.String() {
		t.Errorf("then %s", again.Body)
	}
}

func TestPassingAreUpInEveryWorker(t *testing.T) {
	t.Parallel()
	s := live(mixed())
	for target, want := range map[string]string{
		"/p/web?passing": `{"p":{"web":{"instances":["10.0.0.1:80","10.0.0.3:80","10.0.0.6:80"]}}}`,
		"/p?passing=1":   `{"p":{"web":{"instances":["10.0.0.1:80","10.0.0.3:80","10.0.0.6:80"]},"new":{"instances":[]}}}`,
	} {
		if got := ask(s, http.MethodGet, target); got.Code != http.StatusOK || strings.TrimSpace(got.Body.String()) != want || got.Header().Get("Haproxy-Zk-Held") != "1" {
			t.Errorf("%s: %d %s", target, got.Code, got.Body)
		}
	}
}

func TestWorkersDoNotAnswer(t *testing.T) {
	t.Parallel()
	snapshot, reading := mixed()
	for name, r := range map[string]*stats.Reading{"none": {Proxy: "p", Silent: []int{100, 101}}, "not started": nil} {
		for _, target := range []string{"/p/web?passing", "/p?detail"} {
			if got := ask(live(snapshot, r), http.MethodGet, target); got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), `"error"`) {
				t.Errorf("%s: %s: %d %s", name, target, got.Code, got.Body)
			}
		}
		if got := ask(live(snapshot, r), http.MethodGet, "/p/web"); got.Code != http.StatusOK {
			t.Errorf("%s: /p/web: %d", name, got.Code)
		}
	}
	reading.Silent = []int{102}
	if got := ask(live(snapshot, reading), http.MethodGet, "/p/web?detail"); got.Code != http.StatusOK || got.Header().Get("Haproxy-Zk-Silent-Workers") != "1" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
}

func TestLiveRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := live(mixed())
	for target, want := range map[string]int{
		"/p/web?detail&passing": http.StatusBadRequest,
		"/q?detail":             http.StatusNotFound,
		"/p/none?passing":       http.StatusNotFound,
		"/p/web/x?detail":       http.StatusNotFound,
	} {
		if got := ask(s, http.MethodGet, target); got.Code != want {
			t.Errorf("%s: %d %s", target, got.Code, got.Body)
		}
	}
}
