package query

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

func TestReady(t *testing.T) {
	well := func(name string) *proxy { return serving(name, group("web")) }
	with := func(p *proxy, change func(*proxy)) *proxy {
		change(p)
		return p
	}
	for _, c := range []struct {
		name    string
		proxies []Proxy
		stop    bool
		status  int
		body    string
	}{
		{
			name:   "no proxy",
			status: http.StatusServiceUnavailable,
			body:   `{"ready":false,"proxies":{}}`,
		},
		{
			name:    "all is well",
			proxies: []Proxy{well("b"), well("a")},
			status:  http.StatusOK,
			body:    `{"ready":true,"proxies":{"b":{"ready":true,"zookeeper":"connected"},"a":{"ready":true,"zookeeper":"connected"}}}`,
		},
		{
			name: "groups carried in several ways",
			proxies: []Proxy{with(well("a"), func(p *proxy) {
				s := *p.Snapshot()
				s.Carried = []registry.Carried{{By: "backends"}, {By: "slots", Reason: "x"}, {By: "backends"}}
				p.snapshot.Store(&s)
			})},
			status: http.StatusOK,
			body:   `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"connected","carried_by":{"backends":2,"slots":1}}}}`,
		},
		{
			name: "zookeeper away",
			proxies: []Proxy{
				with(well("a"), func(p *proxy) { p.contact = registry.ConnectionStatus{Problem: "zk:2181: \"no\" route"} }),
				with(well("b"), func(p *proxy) { p.contact = registry.ConnectionStatus{} }),
			},
			status: http.StatusOK,
			body:   `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"zk:2181: \"no\" route"},"b":{"ready":true,"zookeeper":"not connected"}}}`,
		},
		{
			name: "a path may not be read",
			proxies: []Proxy{
				with(well("a"), func(p *proxy) { p.contact = registry.ConnectionStatus{Connected: true, Denied: "no permission"} }),
			},
			status: http.StatusOK,
			body:   `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"connected, but no permission"}}}`,
		},
		{
			name: "lists of the process before",
			proxies: []Proxy{
				with(well("a"), func(p *proxy) { p.contact = registry.ConnectionStatus{Problem: "refused", Recalled: []string{"web"}} }),
			},
			status: http.StatusOK,
			body:   `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"refused","recalled":["web"]}}}`,
		},
		{
			name: "other sources",
			proxies: []Proxy{
				with(well("a"), func(p *proxy) {
					p.contact = registry.ConnectionStatus{Source: registry.Directory, Connected: true}
				}),
				with(well("b"), func(p *proxy) {
					p.contact.Others = []registry.ConnectionStatus{{Source: registry.Directory, Problem: "no such file"}}
				}),
				with(well("c"), func(p *proxy) {
					p.contact = registry.ConnectionStatus{Source: registry.Directory, Connected: true, Denied: "no permission"}
				}),
				with(well("d"), func(p *proxy) {
					p.contact = registry.ConnectionStatus{Source: registry.Written, Connected: true}
				}),
			},
			status: http.StatusOK,
			body: `{"ready":true,"proxies":{"a":{"ready":true,"directory":"readable"},"b":{"ready":true,"zookeeper":"connected","directory":"no such file"},` +
				`"c":{"ready":true,"directory":"readable, but no permission"},"d":{"ready":true}}}`,
		},
		{
			name: "one waits",
			proxies: []Proxy{
				with(well("a"), func(p *proxy) {
					p.snapshot.Store(&registry.Snapshot{Proxy: "a", Waiting: []string{"web-b", "web-a"}})
				}),
				well("b"),
			},
			status: http.StatusServiceUnavailable,
			body:   `{"ready":false,"proxies":{"a":{"ready":false,"zookeeper":"connected","waiting":["web-b","web-a"]},"b":{"ready":true,"zookeeper":"connected"}}}`,
		},
		{
			name: "workers silent",
			proxies: []Proxy{
				well("a"),
				with(well("b"), func(p *proxy) { p.problem = errors.New("ask worker 1: connection refused") }),
			},
			status: http.StatusServiceUnavailable,
			body:   `{"ready":false,"proxies":{"a":{"ready":true,"zookeeper":"connected"},"b":{"ready":false,"zookeeper":"connected","problem":"ask worker 1: connection refused"}}}`,
		},
		{
			name: "a reload that failed",
			proxies: []Proxy{with(well("a"), func(p *proxy) {
				p.snapshot.Store(&registry.Snapshot{Proxy: "a", ReloadError: "port taken"})
			})},
			status: http.StatusOK,
			body:   `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"connected","problem":"port taken"}}}`,
		},
		{
			name: "a group whose instances are all down",
			proxies: []Proxy{with(well("a"), func(p *proxy) {
				p.snapshot.Store(&registry.Snapshot{Proxy: "a", Down: []string{"web"}})
			})},
			status: http.StatusOK,
			body:   `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"connected","down":["web"]}}}`,
		},
		{
			name: "a reload a while ago",
			proxies: []Proxy{with(well("a"), func(p *proxy) {
				at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", 3600))
				p.generations = []supervisor.Generation{{PIDs: []int{12, 13}, Since: at}, {PIDs: []int{9}, Draining: true, Since: at.Add(time.Second)}}
			})},
			status: http.StatusOK,
			body: `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"connected","generations":[` +
				`{"pids":[12,13],"since":"2026-01-02T02:04:05.678Z"},{"pids":[9],"draining":true,"since":"2026-01-02T02:04:06.678Z"}]}}}`,
		},
		{
			name: "instances that are not as registered",
			proxies: []Proxy{with(well("a"), func(p *proxy) {
				p.snapshot.Store(&registry.Snapshot{Proxy: "a", Remarks: []registry.Remark{
					{Group: "b", Instance: instance("10.0.0.1:1"), Kind: registry.Held},
					{Group: "b", Instance: instance("10.0.0.2:1"), Kind: registry.Held},
					{Group: "a", Instance: instance("10.0.0.3:1"), Kind: registry.Damped},
					{Group: "a", Instance: instance("10.0.0.4:1"), Kind: registry.Operator, Text: "drain"},
				}})
			})},
			status: http.StatusOK,
			body:   `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"connected","held":{"b":["10.0.0.1:1","10.0.0.2:1"]},"damped":{"a":["10.0.0.3:1"]},"operator":{"a":{"10.0.0.4:1":"drain"}}}}}`,
		},
		{
			name: "registrations that are not served",
			proxies: []Proxy{with(well("a"), func(p *proxy) {
				p.registrations = []registry.Registrations{
					{Group: "orders", Findings: []registry.Finding{{Kind: registry.UUID, Count: 2, Example: "fd1e", Problem: "a UUID", Remedy: "register ip:port"}}},
					{Group: "web", Usable: 3, Findings: []registry.Finding{{Kind: registry.NotCreated, Problem: "no permission", Remedy: "grant it"}}},
				}
			})},
			status: http.StatusOK,
			body: `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"connected","registrations":{` +
				`"orders":{"usable":0,"found":[{"kind":"uuid","count":2,"example":"fd1e","problem":"a UUID","remedy":"register ip:port"}]},` +
				`"web":{"usable":3,"found":[{"kind":"not_created","problem":"no permission","remedy":"grant it"}]}}}}}`,
		},
		{
			name:    "stopping",
			proxies: []Proxy{well("a")},
			stop:    true,
			status:  http.StatusServiceUnavailable,
			body:    `{"ready":false,"proxies":{"a":{"ready":true,"zookeeper":"connected"}},"stopping":true}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(c.proxies...)
			if c.stop {
				s.Stop()
				s.Stop()
			}
			w := get(s, "/readyz")
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
			if diff := cmp.Diff(c.body+"\n", w.Body.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}

			w = get(s, "/healthz")
			if w.Code != http.StatusOK || w.Body.String() != "ok\n" {
				t.Errorf("healthz: status %d, body %q", w.Code, w.Body)
			}
		})
	}
}

func TestRegistrationsAreShownForLimitedGroups(t *testing.T) {
	p := serving("a")
	for i := range maxRegistrations + 7 {
		p.registrations = append(p.registrations, registry.Registrations{Group: fmt.Sprintf("g%03d", i), Findings: []registry.Finding{{Kind: registry.Other, Count: 1}}})
	}
	_, c := examine(p)
	if _, last := c.Registrations["g099"]; !last || len(c.Registrations) != maxRegistrations || c.OtherRegistrations != 7 {
		t.Errorf("%d groups, %d others", len(c.Registrations), c.OtherRegistrations)
	}
}

func TestRejectedConfigurationIsReportedAndStaysReady(t *testing.T) {
	problem, since := "", time.Time{}
	s := New(Options{
		Proxies:       func() []Proxy { return []Proxy{serving("a", group("web"))} },
		Place:         registry.Place{Node: "node-1", Zone: "a"},
		Configuration: func() (string, time.Time) { return problem, since },
		Logger:        slog.New(slog.DiscardHandler),
	})
	body := func() string {
		t.Helper()
		w := get(s, "/readyz")
		if w.Code != http.StatusOK {
			t.Errorf("status %d", w.Code)
		}
		return w.Body.String()
	}
	const rest = `"proxies":{"a":{"ready":true,"zookeeper":"connected"}}}` + "\n"
	if diff := cmp.Diff(`{"ready":true,"node":"node-1","zone":"a",`+rest, body()); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	problem, since = "/etc/t:5: \"x\"\nb", time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", 3600))
	want := `{"ready":true,"node":"node-1","zone":"a","configuration":{"error":"/etc/t:5: \"x\"\nb","since":"2026-01-02T02:04:05.678Z"},` + rest
	if diff := cmp.Diff(want, body()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	problem = ""
	if diff := cmp.Diff(`{"ready":true,"node":"node-1","zone":"a",`+rest, body()); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
}
