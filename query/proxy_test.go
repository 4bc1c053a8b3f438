package query

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// proxy is a Proxy whose state the test sets.
type proxy struct {
	snapshot atomic.Pointer[registry.Snapshot]
	contact  registry.ConnectionStatus
	problem  error

	registrations []registry.Registrations

	generations []supervisor.Generation

	configFile string

	launched registry.Launched
	version  haproxy.Version
}

func (p *proxy) Snapshot() *registry.Snapshot                { return p.snapshot.Load() }
func (p *proxy) ConnectionStatus() registry.ConnectionStatus { return p.contact }
func (p *proxy) Ready() error                                { return p.problem }

func (p *proxy) Registrations() []registry.Registrations { return p.registrations }

func (p *proxy) ConfigFile() string { return p.configFile }

func (p *proxy) Launched() registry.Launched { return p.launched }

func (p *proxy) Version() haproxy.Version { return p.version }

func (p *proxy) Generations() []supervisor.Generation { return p.generations }

// serving returns a healthy proxy with these groups.
func serving(name string, groups ...*registry.Group) *proxy {
	p := &proxy{contact: registry.ConnectionStatus{Connected: true, Last: time.Now()}}
	p.snapshot.Store(&registry.Snapshot{Proxy: name, Groups: groups})
	return p
}

func instance(addr string) registry.Instance {
	return registry.Instance{Addr: netip.MustParseAddrPort(addr)}
}

func group(name string, addrs ...string) *registry.Group {
	g := &registry.Group{Name: name}
	for _, a := range addrs {
		g.Instances = append(g.Instances, instance(a))
	}
	return g
}

// seed returns the two proxies of ten groups in the seed's documents.
func seed() []Proxy {
	shared := []*registry.Group{
		group("web-basecentre", "10.238.99.246:32799"),
		group("web-cpmcentre", "10.238.99.243:32783"),
		group("web-csfproxy", "10.238.99.244:32804"),
		group("web-customercentre", "10.238.99.244:32806"),
		group("web-invoicecentre"),
		group("web-iupc", "10.238.99.246:32797"),
		group("web-ordercentre", "10.238.99.245:32805", "10.238.99.246:32798"),
		group("web-resourcecentre", "10.238.99.244:32805"),
		group("web-treasury", "10.238.99.245:32804"),
	}
	ngboss := group("web-ngboss", "10.238.99.243:32784", "10.238.99.246:32800")
	ecgateway := group("web-ecgateway", "10.238.99.245:32803")
	return []Proxy{
		serving("ngboss", append([]*registry.Group{ngboss}, shared...)...),
		serving("ecbusi", append([]*registry.Group{ecgateway}, shared...)...),
	}
}

func newServer(proxies ...Proxy) *Server {
	return New(Options{
		Proxies: func() []Proxy { return proxies },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "haproxyzk_build_info 1\n")
		}),
		Logger: slog.New(slog.DiscardHandler),
	})
}

func ask(s *Server, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	all(s).ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

// all answers everything of s, without a connection.
func all(s *Server) *port { return &port{Server: s, detail: true} }

func get(s *Server, target string) *httptest.ResponseRecorder {
	return ask(s, http.MethodGet, target)
}

func names(n int, prefix string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = prefix + strings.Repeat("x", i)
	}
	return out
}
