package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// addsBackends reports whether groups may be carried by backends.
func addsBackends(h rig.HAProxy) bool { return h.Major > 3 || h.Major == 3 && h.Minor >= 4 }

// onLiveHAProxies is onEveryHAProxy for those whose backends can be added and deleted.
func onLiveHAProxies(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	onHAProxiesThat(t, addsBackends, test)
}

// live discovers groups that are carried by backends; their checks contain their names.
func live(c *rig.SeedConfig) {
	discovering(c)
	c.Groups[1].HTTPChk = "GET /${group}/probe.jsp"
	c.Groups[1].Extra = map[string]any{"carry": "backends"}
}

// group returns an instance of a new group that is served.
func (s *stage) group(name string) *rig.App {
	s.t.Helper()
	app := s.app(name)
	s.serves(name, app)
	s.eventually(name, func() error { return s.answers("/"+name+"/x", app) })
	return app
}

// dissolve deletes a group with its only instance.
func (s *stage) dissolve(name string, app *rig.App) {
	s.t.Helper()
	s.do("unregister", app.Unregister)
	s.do("delete", func() error { return s.registry.Delete(strings.TrimSuffix(s.node(name), "/instances")) })
}

// backends returns the names of the backends of a worker.
func backends(socket string) ([]string, error) {
	reply, err := rig.Stats(socket, "show backend")
	return strings.Fields(strings.TrimPrefix(reply, "# name\n")), err
}

// hasBackends waits until every worker has these groups and lacks those.
func (s *stage) hasBackends(within time.Duration, these, those []string) {
	s.t.Helper()
	err := rig.Eventually(s.t.Context(), within, func() error {
		for _, socket := range s.config.Sockets() {
			names, err := backends(socket)
			if err != nil {
				return err
			}
			for _, group := range these {
				if !slices.Contains(names, group) {
					return fmt.Errorf("%s lacks %s: %v", socket, group, names)
				}
			}
			for _, group := range those {
				if slices.Contains(names, group) {
					return fmt.Errorf("%s has %s: %v", socket, group, names)
				}
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// dissolved is longer than it takes until the backend of a deleted group is deleted.
const dissolved = 4 * time.Minute

func TestGroupsComeAndGoWithoutReload(t *testing.T) {
	onLiveHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, live)
		a := s.app(front)
		s.serves(front, a)
		stays := s.group("stays")
		before := s.pids()
		load := s.fresh(rig.Target{Path: "/", App: front}, rig.Target{Path: "/stays/x", App: "stays"})
		gone := make(map[string]*rig.App)
		for i := range 20 {
			name := fmt.Sprintf("comes-%d", i)
			app := s.group(name)
			if i%2 == 0 {
				gone[name] = app
			} else {
				more := s.app(name)
				s.serves(name, app, more)
				load := s.fresh(rig.Target{Path: "/" + name + "/x", App: name})
				s.eventually("used", func() error { return used(load, []*rig.App{app, more}) })
				s.lost(load)
			}
		}
		var names []string
		for name, app := range gone {
			names = append(names, name)
			s.dissolve(name, app)
		}
		s.hasBackends(dissolved, []string{"stays", "comes-1"}, names)
		returns := s.group(names[0])
		s.serves("stays", stays)
		s.keepsPIDs(before)
		if err := s.counts(1, "haproxyzk_reloads_total"); err != nil { // the start
			t.Error(err)
		}
		s.eventually("deleted in every worker", func() error {
			return s.counts(float64(len(names)*len(before)), "haproxyzk_backend_changes_total", `change="deleted"`)
		})
		s.reload()
		s.serves(names[0], returns)
		s.eventually("after a reload", func() error { return s.answers("/"+names[0]+"/x", returns) })
		s.lost(load)
		s.stopped()
	})
}

func TestLiveGroupsSurviveCrashAndTakeover(t *testing.T) {
	onLiveHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, live)
		a := s.app(front)
		s.serves(front, a)
		web, api := s.group("web"), s.group("api")
		before := s.pids()
		if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.renewed(before)
		for name, app := range map[string]*rig.App{"web": web, "api": api} {
			s.serves(name, app)
			s.eventually(name, func() error { return s.answers("/"+name+"/x", app) })
		}
		shop := s.group("shop")
		load := s.fresh(rig.Target{Path: "/", App: front}, rig.Target{Path: "/web/x", App: "web"}, rig.Target{Path: "/shop/x", App: "shop"})
		before = s.pids()
		s.daemon.Kill()
		s.dissolve("api", api)
		late := s.app("late")
		s.start()
		s.adopts(before)
		s.serves("shop", shop)
		s.serves("late", late)
		s.eventually("late", func() error { return s.answers("/late/x", late) })
		s.hasBackends(dissolved, []string{"web", "shop", "late"}, []string{"api"})
		s.keepsPIDs(before)
		s.lost(load)
		s.stopped()
	})
}

func TestBackendsChangedBehindOurBackAreRepaired(t *testing.T) {
	onLiveHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, live)
		a := s.app(front)
		s.serves(front, a)
		web, api := s.group("web"), s.group("api")
		before := s.pids()
		load := s.fresh(rig.Target{Path: "/", App: front}, rig.Target{Path: "/api/x", App: "api"})
		s.onSocket("unpublish backend web")
		s.eventually("published again", func() error { return s.answers("/web/x", web) })
		server := "web/" + web.Addr()
		s.onSocket("unpublish backend web", "set server "+server+" state maint", "wait 2s srv-removable "+server, "del server "+server, "wait 2s be-removable web", "del backend web")
		s.eventually("added again", func() error { return s.answers("/web/x", web) })
		s.serves("web", web)
		s.serves("api", api)
		s.reaches(2, "haproxyzk_drift_repaired_total")
		s.keepsPIDs(before)
		s.lost(load)
		s.stopped()
	})
}
