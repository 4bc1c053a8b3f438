package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// secureName is in the certificates of instances that take TLS.
const secureName = "orders.internal"

// secure starts an instance that takes TLS, with a certificate of an authority.
func (s *stage) secure(group string, by *rig.Authority, names ...string) *rig.App {
	s.t.Helper()
	certificate, err := by.Issue(strings.Join(names, "-"), names...)
	if err != nil {
		s.t.Fatal(err)
	}
	app, err := rig.StartTLSApp(group, certificate)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := app.Stop(); err != nil {
			s.t.Error(err)
		}
	})
	return app
}

func authority(t *testing.T) *rig.Authority {
	t.Helper()
	a, err := rig.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// twoPorts is the registration of an instance with a port for clear text and one for TLS.
func twoPorts(plain, secure *rig.App) string {
	host, port, _ := strings.Cut(plain.Addr(), ":")
	_, sslPort, _ := strings.Cut(secure.Addr(), ":")
	return `{"name":"orders","id":"` + curatorID + `","address":"` + host + `","port":` + port + `,"sslPort":` + sslPort + `,"payload":null,"registrationTimeUTC":1769292890155,` +
		`"serviceType":"DYNAMIC","uriSpec":{"parts":[{"value":"scheme","variable":true},{"value":"://","variable":false},{"value":"address","variable":true}]}}`
}

// findsDown returns nil if the health checks of every worker find an instance down.
func (s *stage) findsDown(group string, app *rig.App) error {
	for _, socket := range s.config.Sockets() {
		server, err := rig.FindServer(socket, group, app.Addr())
		if err != nil {
			return err
		}
		if server.OpState != 0 || server.AdminState&1 != 0 {
			return fmt.Errorf("behind %s: %+v", socket, server)
		}
	}
	return nil
}

// asksFor returns nil if HAProxy asks the instance that answers for a name.
func (s *stage) asksFor(name string) error {
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", s.config.ListenerPort))
	if err != nil {
		return err
	}
	response.Body.Close()
	if got := response.Header.Get(rig.HeaderTLSName); got != name {
		return fmt.Errorf("HAProxy asks for %q, not for %q", got, name)
	}
	return nil
}

// Instances that register a port for TLS are connected to and checked by TLS there, and only
// if their certificate is right; they come and go, and HAProxy is reloaded, without a lost
// request.
func TestInstancesAreReachedByTLS(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		ours, other := authority(t), authority(t)
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups = []rig.Group{{Name: front, HTTPChk: "GET /probe.jsp", DefaultBackend: true, Extra: map[string]any{
				"format": "curator", "wait_check": true, "server_tls": map[string]any{"ca": ours.File, "server_name": secureName},
			}}}
		})
		plain := s.unregistered(front)
		a, b, c := s.secure(front, ours, secureName), s.secure(front, ours, secureName), s.secure(front, ours, secureName)
		nodeA := s.writes(s.node(front), "a", twoPorts(plain, a), 0)
		s.writes(s.node(front), "b", twoPorts(plain, b), 0)
		s.serves(front, a, b)
		before := s.pids()
		load := s.load(rig.Target{Path: "/", App: front})
		s.writes(s.node(front), "c", twoPorts(plain, c), 0)
		s.serves(front, a, b, c)
		s.delete(nodeA)
		s.serves(front, b, c)
		if now := s.pids(); !slices.Equal(now, before) {
			t.Errorf("HAProxy was reloaded: %v, then %v", before, now)
		}
		s.signal(syscall.SIGUSR2)
		s.replaced(before)
		s.serves(front, b, c)
		s.eventually("both answer", func() error { return used(load, []*rig.App{b, c}) })
		if err := s.asksFor(secureName); err != nil {
			t.Error(err)
		}

		foreign, misnamed := s.secure(front, other, secureName), s.secure(front, ours, "pay.internal")
		s.writes(s.node(front), "foreign", twoPorts(plain, foreign), 0)
		s.writes(s.node(front), "misnamed", twoPorts(plain, misnamed), 0)
		s.writes(s.node(front), "plain", twoPorts(plain, plain), 0)
		for _, app := range []*rig.App{foreign, misnamed, plain} {
			s.eventually("it is down", func() error { return s.findsDown(front, app) })
		}
		s.lost(load)
		for _, app := range []*rig.App{foreign, misnamed, plain} {
			if first, _ := app.Traffic(); !first.IsZero() || app.Served("/probe.jsp") > 0 {
				t.Errorf("%s got a request although its certificate is wrong, or it has none", app.Addr())
			}
		}
	})
}

// Without verification any certificate will do. Without TLS a registration that has no other
// port is reported.
func TestUnverifiedTLSAndNone(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups = []rig.Group{
				{Name: front, DefaultBackend: true, Extra: map[string]any{"format": "curator", "carry": "auto", "server_tls": map[string]any{"verify": "none"}}},
				{Name: base, ACLs: []string{"path_beg /basecentre"}, Extra: map[string]any{"format": "curator"}},
			}
		})
		app := s.secure(front, authority(t), "any.internal")
		_, port, _ := strings.Cut(app.Addr(), ":")
		only := `{"name":"orders","address":"127.0.0.1","port":null,"sslPort":` + port + `,"serviceType":"DYNAMIC"}`
		s.writes(s.node(front), "a", only, 0)
		s.writes(s.node(base), "a", only, 0)
		s.serves(front, app)
		s.eventually("it answers", func() error { return s.answers("/", app) })
		s.eventually("reported", func() error {
			if _, body := s.get("/readyz"); !strings.Contains(body, "it has a port for TLS only") || !strings.Contains(body, "set server_tls") {
				return fmt.Errorf("readyz: %s", body)
			}
			return nil
		})
		s.serves(base)
	})
}

// What Curator itself writes for an instance that takes TLS only.
func TestCuratorRegistersPortForTLS(t *testing.T) {
	needs.Curator(t)
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		ours := authority(t)
		var services string
		s := begin(t, h, func(c *rig.SeedConfig) {
			services = strings.TrimSuffix(c.ZKPath, "/${group}/instances")
			c.ZKPath = services + "/${group}"
			c.Groups = []rig.Group{{Name: front, DefaultBackend: true, Extra: map[string]any{
				"format": "curator", "protocol": "https", "server_tls": map[string]any{"ca": ours.File, "server_name": "${group}.internal"},
			}}}
		})
		app := s.secure(front, ours, front+".internal")
		_, port, _ := strings.Cut(app.Addr(), ":")
		w := curator(t, s.config.ZKAddr, services)
		w.does("register plain 0d1e2c34-0b5a-4a7f-9c3d-1234567890ab %s 127.0.0.1 %s", front, "1")
		w.does("register secure fd1e2c34-0b5a-4a7f-9c3d-1234567890ab %s 127.0.0.1 %s", front, port)
		s.serves(front, app)
		s.eventually("it answers", func() error { return s.answers("/", app) })
	})
}
