package syncer

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// findings returns a summary of the findings.
func (c *client) findings() (all []string) {
	for _, r := range c.Registrations() {
		for _, f := range r.Findings {
			all = append(all, fmt.Sprintf("%s %s %d %s", r.Group, f.Kind, f.Count, f.Example))
		}
	}
	return all
}

func (c *client) expectFindings(want ...string) {
	c.Helper()
	if diff := cmp.Diff(want, c.findings()); diff != "" {
		c.Errorf("findings: %s", diff)
	}
}

const uuid = "fd1e2c34-0b5a-4a7f-9c3d-1234567890ab"

func TestChildrenBesideMissingPathAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeServer()
		f.children["/root/services"] = []string{"orders", "payments"}
		f.children["/root/services/orders"] = []string{uuid}
		c := newClient(t, f.connect, []string{"zk:2181"}, 0)
		c.options.Groups = []Group{{Name: "users", Path: "/apps/users/instances"}}
		c.options.Discover = &Discovery{Parent: "/services", Path: func(group string) string { return "/services/" + group + "/instances" }}
		c.start()
		after(time.Second)
		c.expectFindings("orders misplaced 1 " + uuid)
		if got := gathered(t, c.metrics)["haproxyzk_registrations_skipped"]; got != 1 {
			t.Errorf("the metric is %v", got)
		}

		// A registrar creates the group's node and registers a moment later.
		f.set("/root/services/payments", "_c_"+uuid+"-0000000000")
		after(5 * time.Second)
		c.expectFindings("orders misplaced 1 "+uuid, "payments misplaced 1 _c_"+uuid+"-0000000000")

		// This is noticed at the next check of the path.
		f.set("/root/apps/users", "x\n", "y")
		after(2 * time.Minute)
		c.expectFindings("orders misplaced 1 "+uuid, "payments misplaced 1 _c_"+uuid+"-0000000000", `users misplaced 2 x\n`)

		f.set("/root/apps/users", "x", "y", "instances")
		f.set("/root/apps/users/instances", "10.0.0.1:80")
		f.set("/root/services", "orders")
		after(time.Second)
		c.expectFindings("orders misplaced 1 "+uuid, "users persistent 1 10.0.0.1:80")
		c.stop()
	})
}

func TestOwnParentOfGroup(t *testing.T) {
	groups := []Group{
		{Name: "web", Path: "/services/web/instances"},
		{Name: "in", Path: "/services/in/instances"},
		{Name: "front", Path: "/apps/x/instances"},
		{Name: "flat", Path: "/flat/flat"},
		{Name: "node", Path: "/node-a"},
		{Name: "a", Path: "/root/app-a"},
		{Name: "outer", Path: "/shop/nodes"},
		{Name: "inner", Path: "/shop/v2/nodes"},
		{Name: "beside", Path: "/found/nodes"},
	}
	ps := countParents(groups, &Discovery{Parent: "/found"})
	want := map[string]string{
		"web": "/services/web", "in": "/services/in", "front": "/apps/x", "flat": "/flat", "node": "", "a": "",
		"outer": "", "inner": "/shop/v2", "beside": "",
	}
	got := make(map[string]string)
	for _, g := range groups {
		got[g.Name] = ps.own(g, true)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if own := ps.own(Group{Name: "api", Path: "/found/api/instances"}, false); own != "/found/api" {
		t.Errorf("discovered: %q", own)
	}
	if own := ps.own(Group{Name: "api", Path: "/found/api"}, false); own != "" {
		t.Errorf("discovered without its own parent: %q", own)
	}
}

func TestCreatePathsCreatesMissingPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeServer()
		f.children["/root/apps/web"] = nil
		c := newClient(t, f.connect, []string{"zk:2181"}, 2)
		c.options.CreatePaths = true
		c.options.Groups = append(c.options.Groups, Group{Name: "deep", Path: "/a/b/instances"})
		c.options.Discover = &Discovery{Parent: "/apps", Path: func(group string) string { return "/apps/" + group + "/instances" }}
		f.denies["/root/g1"] = true
		c.start()
		after(time.Second)
		f.lock(func() {
			for path, want := range map[string]bool{
				"/root": true, "/root/g0": true, "/root/g1": false, "/root/a/b/instances": true, "/root/apps": true,
				"/root/apps/web/instances": false, // it is discovered
			} {
				if _, exists := f.children[path]; exists != want {
					t.Errorf("%s: %t", path, exists)
				}
			}
		})
		c.expectFindings("g1 not_created 0 ")
		for _, r := range c.Registrations() {
			if problem := r.Findings[0].Problem; !strings.HasPrefix(problem, "no permission to create /root/g1 (NoAuth)") {
				t.Error(problem)
			}
		}
		f.set("/root/g0", "10.0.0.1:80")
		f.lock(func() { f.owners["/root/g0/10.0.0.1:80"] = 1 })
		after(time.Second)
		c.expect(4, "g0", "10.0.0.1:80")

		// A denied creation is retried at a low rate.
		f.lock(func() { f.asked[opCreate] = 0 })
		after(time.Hour)
		f.lock(func() {
			if n := f.asked[opCreate]; n < 5 || n > 60 {
				t.Errorf("%d tries in an hour", n)
			}
			f.denies = map[string]bool{}
		})
		after(10 * time.Minute)
		c.expectFindings()
		c.stop()
	})
}

func TestNothingIsCreatedByDefault(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeServer, c *client) {
		after(time.Hour)
		f.lock(func() {
			if n := f.asked[opCreate]; n > 0 {
				t.Errorf("%d nodes", n)
			}
		})
		c.expect(2, "g1")
	})
}
