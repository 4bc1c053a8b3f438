package e2e

import (
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func TestAddAndRemoveInOneEvent(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		old, other := s.app(front), s.app(base)
		s.serves(front, old)
		s.serves(base, other)
		load := s.load(through()...)
		for range 10 {
			next := s.unregistered(front)
			// One transaction: the watch fires once for both.
			s.replace(front, old, next)
			s.serves(front, next)
			old = next
		}
		s.lost(load)
	})
}

func TestMoreInstancesThanSlotsAllServe(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups[1].ServerTemplate, c.Groups[1].MaxServer = "", 5
		})
		a := s.app(front)
		b := []*rig.App{s.app(base)}
		s.serves(front, a)
		s.serves(base, b...)
		load := s.load(through()...)
		for range 11 {
			b = append(b, s.app(base))
		}
		s.serves(base, b...)
		s.eventually("all twelve are used", func() error {
			return used(load, b)
		})
		s.lost(load)
		if s.metric("haproxyzk_reloads_total", `cause="slots"`, `result="ok"`) == 0 {
			t.Error("no reload has added slots")
		}
	})
}

func TestInvalidNamesAreSkipped(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		for _, name := range []string{
			"127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "0.0.0.0:80", "127.0.0.1:80 ", "127.0.0.1:80;disable server web", `"127.0.0.1:80"`,
			"127.0.0.1:80\u2028set", "localhost:80", "224.0.0.1:80", "[fe80::1%eth0]:80", strings.Repeat("1", 2000), "127.0.0.1:+80",
		} {
			if err := s.registry.Register(s.node(front), name); err != nil {
				t.Fatalf("%q: %v", name, err)
			}
		}
		a := s.app(front)
		s.serves(front, a)
		if _, metrics := s.get("/metrics"); !strings.Contains(metrics, `haproxyzk_instances_skipped{group="web-ngboss",proxy="ngboss"} 13`) {
			t.Errorf("skipped names are not counted:\n%s", metrics)
		}
	})
}

func TestMissingPathIsWatched(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		if children, err := s.registry.Children(s.node(front)); err == nil {
			t.Fatalf("the daemon created the path: %v", children)
		}
		for range 3 {
			a := s.app(front)
			s.serves(front, a)
			if err := s.registry.Delete(strings.TrimSuffix(s.node(front), "/instances")); err != nil {
				t.Fatal(err)
			}
			s.serves(front)
		}
	})
}
