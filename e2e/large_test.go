package e2e

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// instances registers n instances that do not exist, for the duration of the test.
func (s *stage) instances(node string, n int) {
	s.t.Helper()
	empty, err := s.registry.Fill(node, n)
	s.must(err)
	s.t.Cleanup(func() { s.must(empty()) })
}

// worked returns the CPU time used by the daemon.
func (s *stage) worked() time.Duration {
	s.t.Helper()
	cpu, _, err := rig.Used(s.daemon.PID())
	if err != nil {
		s.t.Fatal(err)
	}
	return cpu
}

// Of a hundred thousand children ten thousand serve, and the others wait. Each change
// elsewhere took 2.7 s, and an idle daemon half a core. The CPU time is bounded, not
// the duration, since the machine may be busy.
func TestChangesBesideAHundredThousandChildren(t *testing.T) {
	binary, err := rig.Build(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		// So many would be too much for the ZooKeeper that all tests share.
		z := ownZooKeeper(t, rig.ZooKeeperOptions{Heap: "512m"})
		s := newStage(t, h, func(c *rig.SeedConfig) {
			c.ZKAddr = z.Addr()
			c.Groups[1] = rig.Group{
				Name: "large", ZKPath: c.ZKPath, ACLs: []string{"path_beg /large/"}, MaxServer: 10_000,
				ServerTemplate: "${group_name} 1-${max_server} ${ip_port} disabled",
			}
		})
		s.binary = binary
		s.connect()
		s.instances(s.node("large"), 100_000)
		a := s.app(front)
		s.start()
		s.ready()
		s.serves(front, a)
		s.eventually("the rest waits", func() error {
			return s.counts(90_000, "haproxyzk_instances_waiting", `group="large"`)
		})
		load := s.load(rig.Target{Path: "/", App: front})
		before := s.worked()
		const changes = 5
		for range changes {
			b := s.app(front)
			s.serves(front, a, b)
			s.do("unregister", b.Unregister)
			s.serves(front, a)
		}
		each := (s.worked() - before) / (2 * changes)
		before = s.worked()
		const idle = 6 * time.Second
		select {
		case <-time.After(idle):
		case <-t.Context().Done():
		}
		share := float64(s.worked()-before) / float64(idle)
		t.Logf("%v of processor time for each change, %.1f %% of a core while nothing changes", each, 100*share)
		if each > 300*time.Millisecond {
			t.Errorf("a change of the small group takes %v of processor time", each)
		}
		if share > 0.1 {
			t.Errorf("idle it uses %.0f %% of a core", 100*share)
		}
		s.lost(load)
	})
}
