package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// soon bounds what must not be delayed.
const soon = 3 * time.Second

// promptly is serves, but fails if it takes longer than soon.
func (s *stage) promptly(group string, apps ...*rig.App) {
	s.t.Helper()
	began := time.Now()
	s.serves(group, apps...)
	if took := time.Since(began); took > soon {
		s.t.Errorf("group %s: it took %s", group, took)
	}
}

// held waits until this many instances at a path of the query API are held.
func (s *stage) held(path, want string) {
	s.t.Helper()
	s.eventually("held of "+path, func() error {
		response, err := http.Get("http://" + s.http + path)
		if err != nil {
			return err
		}
		response.Body.Close()
		if got := response.Header.Get("Haproxy-Zk-Held"); got != want {
			return fmt.Errorf("%q, want %q", got, want)
		}
		return nil
	})
}

// elapses waits while something must not change.
func (s *stage) elapses(d time.Duration) {
	s.t.Helper()
	select {
	case <-time.After(d):
	case <-s.t.Context().Done():
		s.t.Fatal(s.t.Context().Err())
	}
}

// apps starts and registers instances of a group.
func (s *stage) apps(n int, group string) []*rig.App {
	s.t.Helper()
	var apps []*rig.App
	for range n {
		apps = append(apps, s.app(group))
	}
	return apps
}

// again registers instances whose registration was lost.
func (s *stage) again(group string, apps ...*rig.App) {
	s.t.Helper()
	for _, a := range apps {
		if err := a.Register(s.registry, s.node(group)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// together deletes or creates the registrations of instances in one transaction.
func (s *stage) together(group string, create bool, apps ...*rig.App) {
	s.t.Helper()
	var operations []any
	for _, a := range apps {
		path := s.node(group) + "/" + a.Addr()
		if create {
			operations = append(operations, &zk.CreateRequest{Path: path, Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral})
		} else {
			operations = append(operations, &zk.DeleteRequest{Path: path, Version: -1})
		}
	}
	s.transact(operations)
}

// transact executes operations in one transaction.
func (s *stage) transact(operations []any) {
	s.t.Helper()
	if results, err := s.registry.Conn().Multi(operations...); err != nil {
		s.t.Fatalf("transaction: %v %v", err, results)
	}
}

func (s *stage) delete(path string) {
	s.t.Helper()
	if err := s.registry.Delete(path); err != nil {
		s.t.Fatal(err)
	}
}

// wipe deletes a path with everything below it in one transaction: only departures
// within half a second are guaranteed to count as one loss.
func (s *stage) wipe(path string) {
	s.t.Helper()
	s.must(s.registry.DeleteAtOnce(path))
}

// anew waits until all of apps answer requests that begin from now on.
func (s *stage) anew(apps []*rig.App, targets ...rig.Target) {
	s.t.Helper()
	load := s.load(targets...)
	s.eventually("all are used", func() error { return used(load, apps) })
	s.lost(load)
}

func TestWipedPathKeepsServing(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b := s.apps(6, front), s.app(base)
		s.serves(front, a...)
		s.serves(base, b)
		load := s.load(through()...)
		s.wipe(s.node(front))
		s.held("/ngboss/"+front, "6")
		s.held("/", "6")
		s.held("/ngboss/"+base, "")
		s.serves(front, a...)
		s.anew(a, rig.Target{Path: "/", App: front})
		if err := s.counts(6, "haproxyzk_instances_held", `group="web-ngboss"`); err != nil {
			t.Error(err)
		}
		if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, `"held":{"web-ngboss":["127.0.0.1:`) {
			t.Errorf("readyz: %d %s", code, body)
		}
		// They register again one after another.
		s.again(front, a[:3]...)
		s.held("/ngboss/"+front, "3")
		s.serves(front, a...)
		s.again(front, a[3:]...)
		s.held("/ngboss/"+front, "")
		s.serves(front, a...)
		s.lost(load)
		for _, line := range []string{"too many instances deregistered at once", "all held instances registered again"} {
			if said := s.daemon.Output(); strings.Count(said, line) != 1 {
				t.Errorf("it says %q %d times", line, strings.Count(said, line))
			}
		}
	})
}

// An operator has taken the remaining instance out, of one worker at first.
func TestGuardHoldsGroupWhoseRemainingInstanceIsOutOfService(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.apps(4, front)
		s.serves(front, a...)
		load := s.load(rig.Target{Path: "/", App: front})
		s.operate(0, front, a[3], "state maint")
		s.together(front, false, a[:3]...)
		s.held("/ngboss/"+front, "3")
		s.eventually("all workers follow the operator", func() error { return s.operated(front, a[3], "maint", 1) })
		s.anew(a[:3], rig.Target{Path: "/", App: front})
		s.together(front, true, a[:3]...)
		s.held("/ngboss/"+front, "")
		s.operate(0, front, a[3], "state ready")
		s.anew(a, rig.Target{Path: "/", App: front})
		s.lost(load)
	})
}

// The last instance is seen to leave seconds after the others, although it left
// together with them.
func TestGuardHoldsLossSeenLate(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, w := wired(t, h, "10s")
		s.start()
		s.ready()
		a := s.apps(4, front)
		s.serves(front, a...)
		load := s.load(rig.Target{Path: "/", App: front})
		w.Delay(3 * time.Second)
		w.Requests(opChildren)
		s.together(front, false, a[:3]...)
		s.eventually("the group is read", func() error {
			if w.Requests(opChildren) == 0 {
				return errors.New("not yet")
			}
			return nil
		})
		s.together(front, false, a[3])
		s.held("/ngboss/"+front, "4")
		s.anew(a, rig.Target{Path: "/", App: front})
		forward(t, w)
		s.together(front, true, a...)
		s.held("/ngboss/"+front, "")
		s.lost(load)
	})
}

func TestReleaseWorksAtOnce(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b := s.apps(3, front), s.app(base)
		s.serves(front, a...)
		s.serves(base, b)
		load := s.load(rig.Target{Path: "/basecentre/x", App: base})
		s.together(front, false, a...)
		s.held("/ngboss", "3")
		s.serves(front, a...)
		release := func(name string) (string, error) {
			said, err := exec.CommandContext(t.Context(), shared.binary, "release", "--run-dir", s.home+"/run", name).CombinedOutput()
			return string(said), err
		}
		if said, err := release("ngboss/web"); err == nil || !strings.Contains(said, `ngboss has no group "web"`) {
			t.Errorf("a group that is not there: %v %s", err, said)
		}
		if said, err := release("ngboss/" + front); err != nil || said != "released 3 held instances of ngboss/web-ngboss\n" {
			t.Errorf("release: %v %s", err, said)
		}
		s.promptly(front)
		s.held("/ngboss", "")
		if said, err := release("ngboss/" + front); err != nil || said != "no instance of ngboss/web-ngboss is held\n" {
			t.Errorf("release again: %v %s", err, said)
		}
		s.lost(load)
	})
}

func TestWipedDiscoveryKeepsServing(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discovering)
		a, web, api := s.app(front), s.apps(2, "web"), s.apps(4, "api")
		s.serves(front, a)
		s.serves("web", web...)
		s.serves("api", api...)
		s.settled() // the previous generation does not know them
		load := s.load(rig.Target{Path: "/", App: front}, rig.Target{Path: "/web/x", App: "web"}, rig.Target{Path: "/api/x", App: "api"})
		s.wipe(strings.TrimSuffix(s.config.ZKPath, "/${group}/instances"))
		s.held("/", "7")
		s.serves("api", api...)
		s.serves("web", web...)
		s.anew(slices.Concat(web, api), rig.Target{Path: "/web/x", App: "web"}, rig.Target{Path: "/api/x", App: "api"})
		s.again(front, a)
		s.again("web", web...)
		s.again("api", api...)
		s.held("/", "")
		s.serves("api", api...)
		s.serves("web", web...)
		s.lost(load)
	})
}

func TestWipedEnsembleKeepsServing(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		zookeeper, err := rig.StartZooKeeper(t.Context(), rig.ZooKeeperOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := zookeeper.Close(); err != nil {
				t.Error(err)
			}
		})
		s := begin(t, h, func(c *rig.SeedConfig) { c.ZKAddr = zookeeper.Addr() })
		a, b := s.apps(3, front), s.apps(2, base)
		s.serves(front, a...)
		s.serves(base, b...)
		load := s.load(through()...)
		if err := zookeeper.Wipe(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.held("/", "5")
		s.serves(front, a...)
		s.serves(base, b...)
		// A new server refuses clients that have seen more than it has: the
		// applications reconnect.
		s.connect()
		s.again(front, a...)
		s.again(base, b...)
		s.held("/", "")
		s.serves(front, a...)
		s.serves(base, b...)
		s.lost(load)
	})
}

// A whole application deregisters, and stops afterwards. Until then it is held, and
// answers; then its health checks release it.
func TestStopOfAWholeApplication(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b := s.apps(4, front), s.app(base)
		s.serves(front, a...)
		s.serves(base, b)
		stays := s.load(rig.Target{Path: "/basecentre/x", App: base})
		goes := s.load(rig.Target{Path: "/", App: front})
		s.together(front, false, a...)
		s.held("/ngboss/"+front, "4")
		s.serves(front, a...)
		s.eventually("they still answer", func() error { return used(goes, a) })
		s.lost(goes) // its clients are gone when it stops
		began := time.Now()
		for _, app := range a {
			if err := app.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		s.serves(front)
		s.held("/ngboss/"+front, "")
		// Two failed checks two seconds apart, and one that was under way.
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("they were let go after %s", took)
		}
		s.lost(stays)
		s.stopped()
	})
}

func TestBlueGreenInTwoEvents(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		blue, b := s.apps(5, front), s.app(base)
		s.serves(front, blue...)
		s.serves(base, b)
		var green []*rig.App
		for range 5 {
			green = append(green, s.unregistered(front))
		}
		load := s.load(through()...)
		s.together(front, false, blue...)
		s.held("/ngboss/"+front, "5") // it was seen
		s.together(front, true, green...)
		s.promptly(front, green...)
		s.held("/ngboss/"+front, "")
		s.eventually("all green instances are used", func() error { return used(load, green) })
		s.lost(load)
	})
}

// Green must pass a health check before it gets requests, and blue has left by then.
func TestBlueIsHeldUntilGreenIsChecked(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Groups[0].Extra = map[string]any{"wait_check": true} })
		blue := s.apps(3, front)
		s.workersServe(front, blue...)
		load := s.load(rig.Target{Path: "/", App: front})
		s.eventually("blue is checked", func() error { return used(load, blue) })
		var green []*rig.App
		for range 2 {
			green = append(green, s.unregistered(front))
			green[len(green)-1].SetHealthy(false)
		}
		s.together(front, true, green...)
		s.eventually("green is known", func() error {
			for _, a := range green {
				if _, body := s.get("/ngboss/" + front); !strings.Contains(body, a.Addr()) {
					return fmt.Errorf("%s is not in %s", a.Addr(), body)
				}
			}
			return nil
		})
		s.together(front, false, blue...)
		s.held("/ngboss/"+front, "3")
		s.anew(blue, rig.Target{Path: "/", App: front})
		for _, a := range green {
			a.SetHealthy(true)
		}
		s.held("/ngboss/"+front, "")
		s.serves(front, green...)
		s.eventually("green is used", func() error { return used(load, green) })
		s.lost(load)
	})
}

// There is no slot for green before blue has left, and HAProxy is reloaded to add some.
func TestBlueIsHeldUntilGreenHasServers(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Groups[0].MaxServer = 4 })
		blue := s.apps(4, front)
		s.serves(front, blue...)
		var green []*rig.App
		for range 4 {
			green = append(green, s.unregistered(front))
		}
		load := s.load(rig.Target{Path: "/", App: front})
		var operations []any
		for i := range blue {
			operations = append(operations,
				&zk.DeleteRequest{Path: s.node(front) + "/" + blue[i].Addr(), Version: -1},
				&zk.CreateRequest{Path: s.node(front) + "/" + green[i].Addr(), Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral})
		}
		s.transact(operations)
		s.promptly(front, green...)
		s.held("/ngboss/"+front, "")
		s.eventually("all green instances are used", func() error { return used(load, green) })
		s.lost(load)
	})
}

func TestBatchReleaseOfHalfTheInstances(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		now, b := s.apps(6, front), s.app(base)
		s.serves(front, now...)
		s.serves(base, b)
		load := s.load(through()...)
		for range 2 {
			old, rest := now[:3], now[3:]
			s.together(front, false, old...)
			s.promptly(front, rest...)
			for _, a := range old {
				if err := a.Quiet(t.Context(), 100*time.Millisecond); err != nil {
					t.Fatal(err)
				}
				if err := a.Stop(); err != nil {
					t.Fatal(err)
				}
			}
			now = slices.Concat(rest, s.apps(3, front))
			s.promptly(front, now...)
		}
		s.lost(load)
		if strings.Contains(s.daemon.Output(), "too many instances deregistered") {
			t.Error("instances were held")
		}
	})
}

// The hold ends after a minute: the test runs once, and on every HAProxy with E2E_LONG.
func TestHoldEnds(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.apps(3, front)
		s.serves(front, a...)
		load := s.load(rig.Target{Path: "/", App: front})
		began := time.Now()
		s.together(front, false, a...)
		s.held("/ngboss", "3")
		s.elapses(45 * time.Second)
		s.lost(load)
		s.serves(front, a...)
		if err := rig.Eventually(t.Context(), 30*time.Second, func() error { return s.compare(front, []string{}) }); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 59*time.Second || took > 65*time.Second {
			t.Errorf("it was held for %s", took)
		}
	})
}

func TestGuardHoldsLossOfAShare(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Groups[0].Extra = map[string]any{"loss_guard": "70%"} })
		a := s.apps(4, front)
		s.serves(front, a...)
		load := s.load(rig.Target{Path: "/", App: front})
		s.together(front, false, a[:2]...)
		s.promptly(front, a[2:]...)
		s.together(front, true, a[:2]...)
		s.promptly(front, a...)
		// Until then they might count as replacements.
		s.elapses(2500 * time.Millisecond)
		s.together(front, false, a[:3]...)
		s.held("/ngboss/"+front, "3")
		s.serves(front, a...)
		s.anew(a, rig.Target{Path: "/", App: front})
		b := s.app(front)
		s.promptly(front, a[3], b)
		s.held("/ngboss", "")
		s.lost(load)
	})
}
