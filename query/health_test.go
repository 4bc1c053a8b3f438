package query

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
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
