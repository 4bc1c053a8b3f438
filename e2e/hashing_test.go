package e2e

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// share returns how many of the keys changed their instance, in percent, and how many of
// those changed to an instance other than target.
func share(before, after map[string]string, target string) (moved, elsewhere int) {
	for key, instance := range after {
		if before[key] != instance {
			moved++
			if instance != target {
				elsewhere++
			}
		}
	}
	return 100 * moved / len(before), elsewhere
}

// A key keeps its instance while others come and go, and over a restart, which is how
// another load balancer begins as well. From HAProxy 3.0 servers are hashed over their
// addresses; before, two instances whose addresses ask for the same slot may swap.
func TestHashedKeysStayWithTheirInstances(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Workers, c.Template = 1, httpTemplate("")
			c.Groups[0].Balance, c.Groups[0].MaxServer = "hdr(X-Client)", 500
			c.Groups[0].Extra = map[string]any{"lines": []string{"hash-type consistent"}}
		})
		apps := s.apps(13, front)
		s.serves(front, apps...)
		// What registered first leaves, so that a restart assigns the rest in another order.
		for range 3 {
			s.do("unregister", apps[0].Unregister)
			apps = apps[1:]
		}
		s.serves(front, apps...)
		first := s.keys(150)

		added := s.app(front)
		s.serves(front, append(apps, added)...)
		second := s.keys(150)
		moved, elsewhere := share(first, second, added.Addr())
		t.Logf("%d %% of the keys move when 1 is added to 10", moved)
		if moved > 25 || elsewhere > 0 {
			t.Errorf("%d %% moved, %d keys to others than the new one", moved, elsewhere)
		}
		s.do("unregister", added.Unregister)
		s.serves(front, apps...)
		s.sameKeys(first, "an instance that came and left again")

		s.do("unregister", apps[0].Unregister)
		s.serves(front, apps[1:]...)
		third := s.keys(150)
		moved, _ = share(first, third, "")
		t.Logf("%d %% of the keys move when 1 of 10 leaves", moved)
		for key, instance := range first {
			if instance != apps[0].Addr() && third[key] != instance {
				t.Errorf("%s moved from %s, which stays, to %s", key, instance, third[key])
			}
		}

		s.stopped()
		s.start()
		s.ready()
		s.serves(front, apps[1:]...)
		moved, _ = share(third, s.keys(150), "")
		t.Logf("%d %% of the keys move over a restart", moved)
		if most := map[bool]int{true: 0, false: 40}[h.Major >= 3]; moved > most {
			t.Errorf("more than %d %%", most)
		}
		s.stopped()
	})
}
