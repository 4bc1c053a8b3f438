package hactl

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// withRivals returns a story with discovered groups whose conditions ignore case.
func withRivals(tb testing.TB, written ...haproxy.Backend) *story {
	tb.Helper()
	s := newStory(tb, written...)
	s.with(func(o *Options) {
		o.Discover = func(name string) (haproxy.Backend, error) {
			b := backendOf(name, 2)
			b.ACLs = []string{"path -i /" + name, "path_beg -i /" + name + "/"}
			return b, nil
		}
	})
	return s
}

func (s *story) find(names ...string) {
	s.SetGroups(registry.Discovered{Names: names})
}

// offered returns the groups in the snapshot.
func (s *story) offered() (names []string) {
	for _, g := range s.Snapshot().Groups {
		names = append(names, g.Name)
	}
	return names
}

func TestNameDifferingInCaseIsRejectedUntilRivalIsGone(t *testing.T) {
	t.Parallel()
	s := withRivals(t)
	s.find("shop")
	s.set("shop", 1)
	s.launch(t)
	s.find("SHOP", "Shop", "shop", "web")
	s.set("SHOP", 9)
	s.set("web", 2)
	s.passes(reloadGap)
	s.step(t.Context())
	same(t, "served", []string{"shop", "web"}, s.offered())
	same(t, "refused", 2.0, s.metric(t, "haproxyzk_groups_refused_total"))
	same(t, "HAProxy has no server of it", "none", s.ha.renderedLine("SHOP1"))
	s.find("SHOP", "Shop", "shop", "web")
	s.step(t.Context())
	same(t, "refused, the same again", 2.0, s.metric(t, "haproxyzk_groups_refused_total"))

	s.find("SHOP", "Shop", "web")
	s.step(t.Context())
	same(t, "served while the one that went may come back", []string{"shop", "web"}, s.offered())
	s.passes(500 * time.Millisecond) // the grace period of the last instance
	s.step(t.Context())
	s.passes(emptyFor)
	s.step(t.Context())
	same(t, "served afterwards", []string{"SHOP", "web"}, s.offered())
	same(t, "in the worker", []string{"10.0.0.9:80 ready"}, []string{s.ha.worker(0).show("SHOP/SHOP1")})
}

func TestShadowedNewGroupTriggersNoReload(t *testing.T) {
	t.Parallel()
	s := withRivals(t)
	s.find("shop")
	s.set("shop", 1)
	s.launch(t)
	s.passes(reloadGap)
	for range 3 {
		s.find("SHOP", "shop")
		s.step(t.Context())
		s.find("shop")
		s.step(t.Context())
	}
	same(t, "reloads", []string{"start"}, s.ha.causes())
	same(t, "refused", 1.0, s.metric(t, "haproxyzk_groups_refused_total"))
	same(t, "groups", []string{"shop"}, s.names())
}

func TestConfiguredGroupShadowsNamesDifferingInCase(t *testing.T) {
	t.Parallel()
	written := backendOf("Shop", 2)
	written.ACLs = []string{"path_beg -i /shop/"}
	other := backendOf("WEB", 2)
	other.ACLs = []string{"path_beg /WEB/"}
	s := withRivals(t, written, other)
	s.set("Shop", 1)
	s.set("WEB", 2)
	s.find("shop", "web")
	s.set("shop", 8)
	s.set("web", 3)
	s.launch(t)
	s.publish()
	same(t, "served", []string{"Shop", "WEB", "web"}, s.offered())
}

func TestTakeoverKeepsRunningNameOfTwoDifferingInCase(t *testing.T) {
	t.Parallel()
	s := withRivals(t)
	s.runs("backend shop\nserver shop1 10.0.0.1:80\nserver-template shop 2-2 0.0.0.0:0 disabled\n")
	s.find("Shop", "shop")
	s.set("Shop", 9)
	s.set("shop", 1)
	s.absorb(t.Context())
	same(t, "before HAProxy is queried", []string{"Shop"}, s.offered())
	s.takeOver(t.Context())
	s.launch(t)
	same(t, "served", []string{"shop"}, s.offered())
}
