package e2e

import (
	"os"
	"slices"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// echoes opens upgraded connections that keep echoing.
func (s *stage) echoes(n int, path string) (opened []*rig.Echo) {
	s.t.Helper()
	for range n {
		echo, err := rig.OpenEcho(s.config.Listener(), path)
		if err != nil {
			s.t.Fatal(err)
		}
		opened = append(opened, echo)
	}
	return opened
}

// uncut closes echoes, and fails the test if one of them was cut.
func (s *stage) uncut(what string, echoes []*rig.Echo) {
	s.t.Helper()
	for _, echo := range echoes {
		if err := echo.Close(); err != nil {
			s.t.Errorf("a connection to %s, %s, was cut: %v", what, echo.Instance, err)
		}
	}
}

// of returns the echoes that have these instances at their other ends, and the others.
func of(apps []*rig.App, echoes []*rig.Echo) (theirs, others []*rig.Echo) {
	for _, echo := range echoes {
		if slices.Contains(addrs(apps), echo.Instance) {
			theirs = append(theirs, echo)
		} else {
			others = append(others, echo)
		}
	}
	return theirs, others
}

// Servers are deleted under load whose instances have left or died, while connections to
// instances that stay, and to those that have left and still run, go on.
func TestDeletionsUnderLoadCutNothing(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		waves, each, open := 2, 8, 40
		if os.Getenv("E2E_LONG") != "" {
			waves, each, open = 10, 50, 300
		}
		s := begin(t, h, carriedBy("servers"))
		stay, others := s.apps(2, front), s.apps(2, base)
		s.serves(front, stay...)
		s.serves(base, others...)
		before := s.pids()
		load := s.load(rig.Target{Path: "/", App: front})
		toTheDead := s.fresh(rig.Target{Path: "/basecentre/x", App: base})
		staying := append(s.echoes(open, "/x/echo"), s.echoes(open, "/basecentre/echo")...)
		var leaving []*rig.Echo
		for range waves {
			living, dying := s.apps(each, front), s.apps(each, base)
			s.amongThose(front, living...)
			s.amongThose(base, dying...)
			opened, toDying := s.echoes(each, "/x/echo"), s.echoes(each, "/basecentre/echo")
			s.eventually("they are used", func() error { return used(load, living) })
			for _, app := range dying {
				s.do("kill", app.Kill)
				s.do("unregister", app.Unregister)
			}
			for _, app := range living {
				s.do("unregister", app.Unregister)
			}
			dead, rest := of(dying, toDying)
			for _, echo := range dead {
				_ = echo.Close() // was cut
			}
			staying = append(staying, rest...)
			left, rest := of(living, opened)
			leaving, staying = append(leaving, left...), append(staying, rest...)
		}
		s.has(lingers, base, others...)
		s.uncut("an instance that has left", leaving) // whose server could not be deleted
		s.reaches(1, "haproxyzk_server_deletions_total", `result="busy"`)
		s.has(lingers, front, stay...)
		s.uncut("an instance that stays", staying)
		s.keepsPIDs(before)
		if err := s.counts(0, "haproxyzk_worker_exits_total", `reason="died"`); err != nil {
			t.Error(err)
		}
		toTheDead.Stop() // requests that wait for a dead instance fail
		s.lost(load)
		s.stopped()
	})
}
