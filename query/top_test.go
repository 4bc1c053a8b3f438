package query

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/stats"
)

// busy returns an instance with counters and, from the second reading on, rates.
func busy(addr string, sessions, errors uint64, rates stats.Rates) stats.Instance {
	i := stats.Instance{Addr: netip.MustParseAddrPort(addr), Up: true, Servers: []stats.Server{{PID: 1, Name: "web1", Status: haproxy.StatusUp}}}
	i.HTTP, i.Sessions, i.Rates = true, sessions, rates
	i.Counters[haproxy.Responses5xx], i.Counters[haproxy.ConnectionErrors] = errors, 1
	return i
}

// topping returns a server of two proxies; the workers of the second one do not answer.
func topping(window time.Duration) *Server {
	gone := busy("10.0.0.9:80", 9, 999, stats.Rates{})
	gone.Gone = true
	r := &stats.Reading{Proxy: "p", Workers: 1, Silent: []int{7}, Window: window, Groups: []stats.Group{
		{Name: "web", Instances: []stats.Instance{
			busy("10.0.0.1:80", 5, 3, stats.Rates{Sessions: 10, Responses: 10, Responses5xx: 1}),
			busy("10.0.0.2:80", 1, 2, stats.Rates{Sessions: 2, Responses: 2, Responses5xx: 2, Failures: 1}),
			gone,
		}},
		{Name: "api", Instances: []stats.Instance{busy("10.0.1.1:80", 7, 0, stats.Rates{Sessions: 30})}},
	}}
	p, q := serving("p", group("web", "10.0.0.1:80", "10.0.0.2:80"), group("api", "10.0.1.1:80")), serving("q")
	return New(Options{
		Proxies: func() []Proxy { return []Proxy{p, q} }, Logger: slog.New(slog.DiscardHandler),
		Statistics: func(ctx context.Context, proxy, _ string) (*stats.Reading, error) {
			if proxy == "q" {
				return &stats.Reading{Proxy: "q", Silent: []int{8}}, ctx.Err()
			}
			return r, ctx.Err()
		},
	})
}

type topDocument struct {
	By        string
	Of        int
	Instances []topInstance
}

func TestTop(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/?top=errors":         "10.0.0.2:80 10.0.0.1:80 10.0.1.1:80, of 3",
		"/?top=sessions":       "10.0.1.1:80 10.0.0.1:80 10.0.0.2:80, of 3",
		"/p?top=rate":          "10.0.1.1:80 10.0.0.1:80 10.0.0.2:80, of 3",
		"/p?top=rate&limit=1":  "10.0.1.1:80, of 3",
		"/p/web?top=rate":      "10.0.0.1:80 10.0.0.2:80, of 2",
		"/q?top=rate":          "503",
		"/p/none?top=rate":     "404",
		"/none?top=errors":     "404",
		"/metrics?top=errors":  "404",
		"/p/web/x?top=errors":  "404",
		"/healthz?top=nothing": "200",
	} {
		answer := ask(topping(5*time.Second), http.MethodGet, target)
		if len(want) == 3 {
			if got := http.StatusText(answer.Code); !strings.HasPrefix(want, string('0'+rune(answer.Code/100))) {
				t.Errorf("%s: %s", target, got)
			}
			continue
		}
		var d topDocument
		if err := json.Unmarshal(answer.Body.Bytes(), &d); err != nil {
			t.Fatalf("%s: %s: %v", target, answer.Body, err)
		}
		var got []string
		for _, i := range d.Instances {
			got = append(got, i.Address)
		}
		if text := strings.Join(got, " ") + ", of " + string('0'+rune(d.Of)); text != want {
			t.Errorf("%s: %s, want %s", target, text, want)
		}
		if silent := answer.Header().Get("Haproxy-Zk-Silent-Workers"); (silent == "2") != strings.HasPrefix(target, "/?") {
			t.Errorf("%s: %s silent workers", target, silent)
		}
	}
}

func TestTopHasRatesOfAWindow(t *testing.T) {
	t.Parallel()
	seconds := 0.0
	want := topInstance{
		Proxy: "p", Group: "web", Address: "10.0.0.2:80", State: stateUp, Sessions: 1, ErrorsTotal: 3, ResponseTime: &seconds,
		Rates: &topRates{Window: 5, Sessions: 2, Errors: 3, Responses5xx: 2, Share5xx: 1},
	}
	for window, rates := range map[time.Duration]*topRates{5 * time.Second: want.Rates, 0: nil} {
		var d topDocument
		answer := ask(topping(window), http.MethodGet, "/p/web?top=errors&limit=2")
		if err := json.Unmarshal(answer.Body.Bytes(), &d); err != nil || len(d.Instances) != 2 {
			t.Fatalf("%s: %v", answer.Body, err)
		}
		want.Rates = rates
		if diff := cmp.Diff(want, d.Instances[0]); diff != "" {
			t.Errorf("%v: -want +got\n%s", window, diff)
		}
	}
}
