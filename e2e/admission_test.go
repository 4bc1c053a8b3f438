package e2e

import (
	"fmt"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// A request that reached our own listener as an instance would loop.
func TestOwnListenersAreRejectedAsInstances(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		for _, addr := range []string{s.config.Listener(), fmt.Sprintf("127.0.0.1:%d", s.config.AdminPort), s.http, "169.254.169.254:80"} {
			if err := s.registry.Register(s.node(front), addr); err != nil {
				t.Fatal(err)
			}
		}
		s.eventually("they are skipped", func() error {
			return s.counts(4, "haproxyzk_instances_skipped", fmt.Sprintf("group=%q", front))
		})
		s.says("169.254.169.254:80")
		s.serves(front, a)
		s.lost(load)
		_, findings := s.findings(s.written(), "--online")
		for _, addr := range []string{s.config.Listener(), "169.254.169.254:80"} {
			wants(t, findings, "warning", "ngboss.zk.path", "instance "+addr+" is skipped")
		}
	})
}

func TestDeniedNetworksChangeWithSIGHUP(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Extra = map[string]any{"deny_networks": []string{"10.0.0.0/8"}}
		})
		a := s.app(front)
		if err := s.registry.Register(s.node(front), "10.9.9.9:80"); err != nil {
			t.Fatal(err)
		}
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		second := s.app(front)
		s.serves(front, a, second)
		s.config.Extra["deny_networks"] = []string{"10.0.0.0/8", "::1"}
		s.config.Extra["allow_networks"] = "127.0.0.0/8"
		s.rewrite(s.config)
		s.reread("ok")
		s.serves(front, a, second)
		s.config.Extra["deny_networks"] = []string{"127.0.0.0/33"}
		s.rewrite(s.config)
		s.reread("error")
		s.serves(front, a, second)
		s.lost(load)
		delete(s.config.Extra, "allow_networks")
		s.config.Extra["deny_networks"] = []string{"127.0.0.0/8", "10.0.0.0/8"}
		s.rewrite(s.config)
		s.reread("ok")
		s.eventually("all are denied", func() error {
			return s.counts(3, "haproxyzk_instances_skipped", fmt.Sprintf("group=%q", front))
		})
	})
}
