package e2e

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// A daemon with very little memory still serves and reloads.
func TestLittleMemory(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) { c.Groups[0].MaxServer = 1 })
		s.connect()
		s.run(s.configured("GOMEMLIMIT=16MiB")...)
		s.ready()
		if err := s.counts(16<<20, "go_gc_gomemlimit_bytes"); err != nil {
			t.Error(err)
		}
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		before := s.pids()
		b := s.app(front)
		s.serves(front, a, b) // by a reload
		s.renewed(before)
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })
		s.lost(load)
		s.stopped()
	})
}
