//go:build image

package image

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Two load balancers on one ZooKeeper serve the same instances without communicating.
func TestTwoLoadBalancersAgree(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		web := []*app{s.app("web"), s.app("web")}
		api := s.app("api")
		one, two := s.balancer(), s.balancer()
		agree := func() {
			t.Helper()
			for _, b := range []*balancer{one, two} {
				b.serves("web", web...)
				b.serves("api", api)
			}
			_, first := one.get("/")
			_, second := two.get("/")
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("they differ: -one +two\n%s", diff)
			}
		}
		agree()
		first, second := one.load("web", "api"), two.load("web", "api")
		for i, old := range web {
			web[i] = s.app("web")
			s.used(first, web[i])
			s.used(second, web[i])
			s.retire(old)
			agree()
		}
		s.lost(first)
		s.lost(second)
	})
}
