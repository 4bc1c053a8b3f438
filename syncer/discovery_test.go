package syncer

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDiscoveredGroupsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeServer()
		f.children["/root/g0"] = []string{"10.0.0.1:80"}
		f.children["/root/apps"] = []string{"web", "g0", "un safe"}
		f.children["/root/apps/web/instances"] = []string{"10.0.0.2:80"}
		c := newClient(t, f.connect, []string{"zk:2181"}, 1)
		c.options.Discover = &Discovery{Parent: "/apps", Path: func(group string) string {
			if strings.Contains(group, " ") {
				return ""
			}
			return "/apps/" + group + "/instances"
		}}
		c.start()
		after(time.Second)
		lists := func(want ...string) {
			t.Helper()
			c.mu.Lock()
			defer c.mu.Unlock()
			if !slices.Equal(c.discovered, want) {
				t.Errorf("discovered %q, want %q", c.discovered, want)
			}
		}
		lists("un safe web") // not g0, which is written out
		c.expect(2, "g0", "10.0.0.1:80")
		c.expect(2, "web", "10.0.0.2:80")

		f.set("/root/apps/web-admin/instances", "10.0.0.3:80")
		f.set("/root/apps", "web", "g0", "web-admin")
		after(time.Second)
		lists("un safe web", "web web-admin")
		c.expect(3, "web-admin", "10.0.0.3:80")

		f.set("/root/apps", "g0", "web-admin")
		after(time.Second)
		f.set("/root/apps/web/instances", "10.0.0.9:80")
		after(time.Second)
		lists("un safe web", "web web-admin", "web-admin")
		c.expect(3, "web", "10.0.0.2:80") // nobody follows it any more

		f.set("/root/apps", "g0", "web", "web-admin")
		after(time.Second)
		c.expect(4, "web", "10.0.0.9:80")
		c.stop()
	})
}
