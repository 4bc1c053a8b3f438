package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// discovering enables discovery; only the default backend is configured.
func discovering(c *rig.SeedConfig) {
	c.Template = strings.Replace(rig.SeedTemplate, "    option          forwardfor\n", "    option          forwardfor\n    timeout http-keep-alive 1s\n", 1)
	c.Groups = []rig.Group{{Name: front, DefaultBackend: true}, {Name: "*"}}
}

func TestDiscoveredGroupsAreAddedUnderLoad(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discovering)
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		for _, hostile := range []string{"we b", "a;b", `"quoted"`, "metrics/../x", strings.Repeat("n", 300)} {
			if err := s.registry.Ensure(strings.TrimSuffix(s.node(hostile), "/instances")); err != nil {
				t.Logf("ZooKeeper itself refuses %q: %v", hostile, err)
			}
		}
		web, admin := s.app("web"), s.app("web-admin")
		s.serves("web", web)
		s.serves("web-admin", admin)
		for path, want := range map[string]*rig.App{"/web": web, "/web/x": web, "/web-admin": admin, "/web-admin/x": admin, "/WEB-ADMIN/x": admin, "/webshop": a} {
			s.eventually(path, func() error { return s.answers(path, want) })
		}
		// The previous generation does not know the group, and may still accept.
		s.settled()
		more := s.load(rig.Target{Path: "/web/x", App: "web"}, rig.Target{Path: "/web-admin/x", App: "web-admin"})
		next := s.app("api")
		s.serves("api", next)
		s.lost(load)
		s.lost(more)

		code, body := s.get("/ngboss")
		order := []string{front, "web-admin", "api", "web"}
		at := -1
		for _, group := range order {
			i := strings.Index(body, `"`+group+`"`)
			if i < at || code != http.StatusOK {
				t.Errorf("the order is not %v: %d %s", order, code, body)
			}
			at = i
		}
		for _, hostile := range []string{"we b", "a;b", "quoted"} {
			if strings.Contains(body, hostile) {
				t.Errorf("%q is served: %s", hostile, body)
			}
		}
	})
}

// answers returns nil if a request for path is answered by an instance.
func (s *stage) answers(path string, by *rig.App) error {
	return s.answersAt(s.config.ListenerPort, path, by)
}

func (s *stage) answersAt(port int, path string, by *rig.App) error {
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return err
	}
	response.Body.Close()
	if got := response.Header.Get(rig.HeaderInstance); got != by.Addr() {
		return fmt.Errorf("status %d from %q, not from %s", response.StatusCode, got, by.Addr())
	}
	return nil
}

// HAProxy may reject what the configuration makes of a group's name: here a file that
// does not exist.
func TestRejectedDiscoveredGroupIsQuarantined(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		lists := t.TempDir()
		list := func(group string) {
			if err := os.WriteFile(filepath.Join(lists, group), []byte("/"+group+"/\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		list("api")
		list("web")
		s := begin(t, h, func(c *rig.SeedConfig) {
			discovering(c)
			c.Groups[1].ACLs = []string{"path_beg -f " + lists + "/${group}"}
		})
		a, web := s.app(front), s.app("web")
		s.serves(front, a)
		s.serves("web", web)
		// The previous generation does not know the group, and may still accept.
		s.settled()
		load := s.load(rig.Target{Path: "/", App: front}, rig.Target{Path: "/web/x", App: "web"})
		bad := s.app("bad")
		s.says("HAProxy rejected discovered groups")
		api := s.app("api")
		s.serves("api", api)
		s.eventually("the others change", func() error { return s.answers("/api/x", api) })
		if code, body := s.get("/ngboss/bad"); code != http.StatusNotFound {
			t.Errorf("%d %s", code, body)
		}
		s.lost(load)

		s.stopped()
		s.start()
		s.ready()
		s.says("HAProxy rejected discovered groups")
		s.serves("web", web)
		s.serves("api", api)

		list("bad")
		if err := s.daemon.Signal(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		s.serves("bad", bad)
		s.eventually("it serves", func() error { return s.answers("/bad/x", bad) })
	})
}

// Default conditions ignore case: without precautions a name that differs only in case
// would take the requests of the other group.
func TestNameDifferingInCaseTakesNoRequest(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discovering)
		a, shop := s.app(front), s.app("shop")
		s.serves(front, a)
		s.serves("shop", shop)
		load := s.load(rig.Target{Path: "/", App: front}, rig.Target{Path: "/shop/x", App: "shop"})
		s.app("SHOP")
		if err := s.registry.Ensure(s.node("Shop")); err != nil {
			t.Fatal(err)
		}
		s.says("discovered name cannot be a group name")
		s.eventually("both are refused", func() error { return s.counts(2, "haproxyzk_groups_refused_total") })
		web := s.app("web") // causes a reload
		s.serves("web", web)
		for _, name := range []string{"Shop", "SHOP"} {
			if code, body := s.get("/ngboss/" + name); code != http.StatusNotFound {
				t.Errorf("%s: %d %s", name, code, body)
			}
		}
		s.lost(load)

		s.stopped()
		s.start()
		s.ready()
		s.serves("shop", shop)
		s.eventually("it serves after a restart", func() error { return s.answers("/shop/x", shop) })
	})
}

// TestDeletedDiscoveredGroupIsRemoved takes more than a minute, which is how long an
// empty group stays: it runs once, and on every HAProxy with E2E_LONG.
func TestDeletedDiscoveredGroupIsRemoved(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discovering)
		a, web := s.app(front), s.app("web")
		s.serves(front, a)
		s.serves("web", web)
		load := s.load(rig.Target{Path: "/", App: front})
		if err := s.registry.Delete(strings.TrimSuffix(s.node("web"), "/instances")); err != nil {
			t.Fatal(err)
		}
		s.serves("web")
		err := rig.Eventually(t.Context(), 90*time.Second, func() error {
			if code, body := s.get("/ngboss/web"); code != http.StatusNotFound {
				return fmt.Errorf("%d %s", code, body)
			}
			return s.answers("/web/x", a) // from the default backend
		})
		if err != nil {
			t.Fatal(err)
		}
		s.lost(load)
	})
}

func TestNoGroupsIsValid(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Groups = []rig.Group{{Name: "*"}} })
		if code, body := s.get("/"); code != http.StatusOK || strings.TrimSpace(body) != `{"ngboss":{}}` {
			t.Errorf("%d %s", code, body)
		}
		web := s.app("web")
		s.serves("web", web)
		s.eventually("it serves", func() error { return s.answers("/web", web) })
	})
}
