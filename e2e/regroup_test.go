package e2e

import (
	"fmt"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// routed are groups that are written out and found by their paths, beside the default one.
func routed(names ...string) []rig.Group {
	groups := []rig.Group{{Name: front, DefaultBackend: true}}
	for _, name := range names {
		groups = append(groups, rig.Group{
			Name: name, HTTPChk: "GET /${group}/probe.jsp", ServerTemplate: "${group_name} 1-${max_server} ${ip_port} check inter 2000 rise 1 fall 2 disabled",
			Extra: map[string]any{"route": "path", "carry": "auto"},
		})
	}
	return groups
}

// Groups of the configuration come and go under load: without a reload where HAProxy can do
// that, and by one where it cannot.
func TestConfigurationThatAddsAndRemovesGroups(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			discovering(c)
			c.Groups = routed("stays", "goes")
		})
		a := s.app(front)
		s.serves(front, a)
		stays, goes := s.group("stays"), s.group("goes")
		before := s.pids()
		// Those to the group that goes are answered by it, or by the default backend.
		load := s.fresh(rig.Target{Path: "/", App: front}, rig.Target{Path: "/stays/x", App: "stays"}, rig.Target{Path: "/goes/x"})
		for round := range 3 {
			name := fmt.Sprintf("comes-%d", round)
			app := s.app(name) // registered before the configuration has its group
			s.config.Groups = routed(name, "stays")
			s.applied()
			s.eventually("added", func() error { return s.answers("/"+name+"/x", app) })
			s.serves(name, app)
			s.eventually("removed", func() error { return s.answers("/goes/x", a) })
			s.config.Groups = routed("stays", "goes")
			s.config.Groups[1].Extra["loss_guard"] = fmt.Sprintf("%d%%", 50+round) // not rendered
			s.applied()
			s.eventually("added again", func() error { return s.answers("/goes/x", goes) })
			s.eventually("removed again", func() error { return s.answers("/"+name+"/x", a) })
		}
		s.serves("stays", stays)
		if !addsBackends(h) {
			s.eventually("counted", func() error { return s.counts(6, "haproxyzk_configuration_changes_total", `by="reload"`) })
			s.lost(load)
			s.stopped()
			return
		}
		if err := s.counts(6, "haproxyzk_configuration_changes_total", `by="live"`); err != nil {
			t.Error(err)
		}
		if err := s.counts(1, "haproxyzk_reloads_total"); err != nil { // the start
			t.Error(err)
		}
		s.keepsPIDs(before)
		s.hasBackends(dissolved, []string{"stays", "goes"}, []string{"comes-0", "comes-1", "comes-2"})
		s.daemon.Kill()
		s.start()
		s.adopts(before)
		s.eventually("adopted", func() error { return s.answers("/goes/x", goes) })

		// A condition in the frontend takes a reload.
		s.config.Groups = append(routed("stays", "goes"), rig.Group{Name: "asks", ACLs: []string{"path_beg /asks"}})
		app := s.app("asks")
		s.applied()
		s.eventually("added by a reload", func() error { return s.answers("/asks/x", app) })
		s.eventually("counted", func() error { return s.counts(1, "haproxyzk_configuration_changes_total", `by="reload"`) })
		s.lost(load)
		s.stopped()
	})
}
