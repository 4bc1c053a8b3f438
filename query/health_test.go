package query

import (
	"errors"
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
			name: "zookeeper away",
			proxies: []Proxy{
				with(well("a"), func(p *proxy) { p.contact = registry.Contact{Problem: "zk:2181: \"no\" route"} }),
				with(well("b"), func(p *proxy) { p.contact = registry.Contact{} }),
			},
			status: http.StatusOK,
			body:   `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"zk:2181: \"no\" route"},"b":{"ready":true,"zookeeper":"not connected"}}}`,
		},
		{
			name: "a path may not be read",
			proxies: []Proxy{
				with(well("a"), func(p *proxy) { p.contact = registry.Contact{Connected: true, Denied: "no permission"} }),
			},
			status: http.StatusOK,
			body:   `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"connected, but no permission"}}}`,
		},
		{
			name: "lists of the process before",
			proxies: []Proxy{
				with(well("a"), func(p *proxy) { p.contact = registry.Contact{Problem: "refused", Recalled: []string{"web"}} }),
			},
			status: http.StatusOK,
			body:   `{"ready":true,"proxies":{"a":{"ready":true,"zookeeper":"refused","recalled":["web"]}}}`,
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
