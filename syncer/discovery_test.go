package syncer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDiscoveredGroupsAreAddedAndRemoved(t *testing.T) {
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

// Known groups stay, and one that is removed makes room for another.
func TestGroupsBeyondLimitAreNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeServer()
		names := []string{"w-known"}
		f.children["/root/apps/w-known/instances"] = []string{"10.0.0.1:80"}
		f.children["/root/apps/z/instances"] = []string{"10.0.0.2:80"}
		f.children["/root/apps"] = names
		c := newClient(t, f.connect, []string{"zk:2181"}, 1)
		c.options.Discover = &Discovery{Parent: "/apps", Most: 10, Path: func(group string) string {
			if strings.Contains(group, " ") {
				return ""
			}
			return "/apps/" + group + "/instances"
		}}
		c.start()
		after(time.Second)
		for i := range 9 {
			names = append(names, fmt.Sprintf("h%d", i), fmt.Sprintf("no group %d", i))
		}
		f.set("/root/apps", append(names, "z", "zz")...)
		after(time.Second)
		last := func() []string {
			c.mu.Lock()
			defer c.mu.Unlock()
			return strings.FieldsFunc(c.discovered[len(c.discovered)-1], func(r rune) bool { return r == ' ' })
		}
		if got := last(); !slices.Contains(got, "w-known") || slices.Contains(got, "z") || slices.Contains(got, "zz") {
			t.Errorf("discovered %v", got)
		}
		f.set("/root/apps", append(slices.DeleteFunc(names, func(n string) bool { return n == "h7" }), "z", "zz")...)
		after(time.Second)
		if got := last(); !slices.Contains(got, "z") || slices.Contains(got, "zz") || slices.Contains(got, "h7") {
			t.Errorf("discovered %v", got)
		}
		c.mu.Lock()
		if !slices.Equal(c.groups["z"], []string{"10.0.0.2:80"}) {
			t.Errorf("z has %v", c.groups["z"])
		}
		c.mu.Unlock()
		c.stop()
	})
}
