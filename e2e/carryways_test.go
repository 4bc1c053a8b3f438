package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// kill kills a process of HAProxy.
func (s *stage) kill(pid int) {
	s.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
}

// discoveringBy discovers groups that are carried in a way.
func discoveringBy(way string) func(*rig.SeedConfig) {
	return func(c *rig.SeedConfig) {
		discovering(c)
		for i := range c.Groups {
			c.Groups[i].Extra = map[string]any{"carry": way}
		}
	}
}

// best returns the best way that an HAProxy can carry discovered groups.
func best(h rig.HAProxy) string {
	switch {
	case addsBackends(h):
		return "backends"
	case addsServers(h):
		return "servers"
	}
	return "slots"
}

// carriedIs waits until a group is carried in a way.
func (s *stage) carriedIs(group, way string) {
	s.t.Helper()
	s.eventually(group+" is carried by "+way, func() error {
		if _, body := s.get("/" + s.proxy() + "/" + group + "?detail"); !strings.Contains(body, `"carried_by":"`+way+`"`) {
			return fmt.Errorf("%s", body)
		}
		return nil
	})
}

// Discovered groups are carried in another way under load: by SIGHUP, and by the next
// haproxy-zk, which takes over.
func TestCarryOfDiscoveredGroupsChangedUnderLoad(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discoveringBy("slots"))
		a, shop := s.app(front), s.app("shop")
		s.serves(front, a)
		s.serves("shop", shop)
		s.eventually("shop", func() error { return s.answers("/shop/x", shop) })
		load := s.fresh(rig.Target{Path: "/", App: front}, rig.Target{Path: "/shop/x", App: "shop"})
		shops := []*rig.App{shop}
		for i, way := range []string{"backends", "servers", "auto", "slots", "backends", "slots"} {
			shops = append(shops, s.app("shop"))
			s.serves("shop", shops...)
			s.config.Groups[1].Extra["carry"] = way
			s.config.Groups[0].Extra["carry"] = way
			if i < 4 {
				s.applied()
			} else {
				s.daemon.Kill()
				s.start()
				s.ready()
			}
			if want := best(h); way == "auto" || way == "backends" {
				s.carriedIs("shop", want)
			} else {
				s.carriedIs("shop", way)
			}
			s.serves("shop", shops...)
			s.fileHas("shop", shops...)
		}
		s.eventually("all are used", func() error { return used(load, shops) })
		s.lost(load)
		s.stopped()
	})
}

// HAProxy is upgraded and downgraded under a running haproxy-zk: discovered groups are
// carried in the best way of each version.
func TestUpgradeCarriesDiscoveredGroupsBetter(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, to rig.HAProxy) {
		from, found := rig.HAProxy{}, false
		for _, h := range shared.haproxies {
			if !addsServers(h) {
				from, found = h, true
			}
		}
		if !found {
			return // there is none to upgrade
		}
		s := newStage(t, from, discoveringBy("auto"))
		s.config.HAProxy = s.home + "/haproxy-installed"
		s.install(from)
		s.connect()
		s.start()
		s.ready()
		a, shop := s.app(front), s.app("shop")
		s.serves(front, a)
		s.serves("shop", shop)
		s.eventually("shop", func() error { return s.answers("/shop/x", shop) })
		s.carriedIs("shop", "slots")
		load := s.fresh(rig.Target{Path: "/", App: front}, rig.Target{Path: "/shop/x", App: "shop"})
		before := s.pids()
		s.install(to)
		s.signal(syscall.SIGUSR2)
		s.runs(to, before)
		s.carriedIs("shop", best(to))
		before = s.pids()
		if addsBackends(to) {
			s.group("late")
			s.keepsPIDs(before)
		}
		more := s.app("shop")
		s.serves("shop", shop, more)
		s.install(from)
		s.signal(syscall.SIGUSR2)
		s.runs(from, before)
		s.carriedIs("shop", "slots")
		s.serves("shop", shop, more)
		s.eventually("both are used", func() error { return used(load, []*rig.App{shop, more}) })
		s.lost(load)
		s.stopped()
	})
}
