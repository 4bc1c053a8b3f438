package syncer

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// persistent returns the findings about persistent instances.
func (c *client) persistent() (found []string) {
	for _, r := range c.Registrations() {
		for _, f := range r.Findings {
			if f.Kind == registry.Persistent {
				found = append(found, fmt.Sprintf("%s: %d as %s", r.Group, f.Count, f.Example))
			}
		}
	}
	return found
}

func (c *client) expectPersistent(want ...string) {
	c.Helper()
	if diff := cmp.Diff(want, c.persistent()); diff != "" {
		c.Errorf("persistent: %s", diff)
	}
}

func TestPersistentInstancesAreFoundAndServed(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeServer, c *client) {
		c.expectPersistent("g0: 1 as 10.0.0.1:80")
		c.expect(2, "g0", "10.0.0.1:80")
		if got := gathered(t, c.metrics)["haproxyzk_instances_persistent"]; got != 1 {
			t.Errorf("the metric is %v", got)
		}

		// An ephemeral node is not counted or examined again.
		f.lock(func() { f.owners["/root/g0/10.0.0.2:80"] = 1 })
		f.set("/root/g0", "10.0.0.1:80", "10.0.0.2:80")
		after(time.Second)
		c.expectPersistent("g0: 1 as 10.0.0.1:80")
		f.lock(func() { f.asked[opExists] = 0 })
		f.set("/root/g0", "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
		after(time.Second)
		c.expectPersistent("g0: 2 as 10.0.0.1:80")
		f.lock(func() {
			if n := f.asked[opExists]; n != 2 { // the new one, and the one that was persistent
				t.Errorf("%d questions", n)
			}
		})

		// The node is replaced between two reads: the list is the same.
		f.lock(func() { f.owners["/root/g0/10.0.0.1:80"] = 1 })
		f.set("/root/g0", "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
		after(time.Second)
		c.expectPersistent("g0: 1 as 10.0.0.3:80")

		// After deletion and creation it is a new node.
		f.set("/root/g0", "10.0.0.1:80", "10.0.0.2:80")
		after(time.Second)
		c.expectPersistent()
		f.lock(func() { f.owners["/root/g0/10.0.0.3:80"] = -1 << 63 }) // a container
		f.set("/root/g0", "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
		after(time.Second)
		c.expectPersistent("g0: 1 as 10.0.0.3:80")
		f.lock(func() { f.owners["/root/g0/10.0.0.3:80"] = -1<<56 | 30_000 }) // with a TTL
		f.set("/root/g0", "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
		after(time.Second)
		c.expectPersistent()
		if got := gathered(t, c.metrics)["haproxyzk_instances_persistent"]; got != 0 {
			t.Errorf("the metric is %v", got)
		}
	})
}

func TestExaminationIsBoundedAndOutlivesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeServer()
		f.children["/root/g0"] = children(20 * maxExamined)
		c := startClient(t, f.connect, []string{"zk:2181"}, 1)
		after(examineAfter / 2)
		f.lock(func() {
			if n := f.asked[opExists]; n > 0 {
				t.Errorf("%d questions while the list is on its way to HAProxy", n)
			}
		})
		after(examineAfter/2 + 100*time.Millisecond)
		f.lock(func() {
			if n := f.asked[opExists]; n == 0 || n > 110 {
				t.Errorf("%d questions in a tenth of a second", n)
			}
		})
		select {
		case <-c.Examined():
			t.Error("it has examined everything already")
		default:
		}
		f.drop(serve)
		<-c.Examined()
		c.expectPersistent(fmt.Sprintf("g0: %d as 10.0.0.0:30000", maxExamined))
		after(time.Hour)
		f.lock(func() {
			if n := f.asked[opExists]; n < maxExamined || n > maxExamined+maxReexamined+10 {
				t.Errorf("%d questions", n)
			}
		})
		c.stop()
	})
}

func TestManyInstancesAreExaminedSlowly(t *testing.T) {
	for fast, within := range map[bool]time.Duration{false: 5 * time.Minute, true: 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			const groups = 3
			f := newFakeServer()
			for g := range groups {
				f.children[fmt.Sprint("/root/g", g)] = children(maxExamined)
			}
			c := newClient(t, f.connect, []string{"zk:2181"}, groups)
			o := c.options
			o.ExamineFast = fast
			c.Syncer = New(o)
			c.connect = f.connect
			c.start()
			after(3 * time.Second)
			f.lock(func() {
				if n := f.asked[opExists]; !fast && (n < examineFast || n > examineFast+200) {
					t.Errorf("%d questions in three seconds", n)
				}
			})
			before := time.Now()
			<-c.Examined()
			if took := time.Since(before); took > within || !fast && took < within/5 {
				t.Errorf("took %v", took)
			}
			c.stop()
		})
	}
}

func TestRemovedGroupIsNotExamined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeServer()
		f.children["/root/apps"] = []string{"web"}
		f.children["/root/apps/web/instances"] = children(maxExamined)
		c := newClient(t, f.connect, []string{"zk:2181"}, 0)
		c.options.Discover = &Discovery{Parent: "/apps", Path: func(group string) string { return "/apps/" + group + "/instances" }}
		c.start()
		after(100 * time.Millisecond)
		f.set("/root/apps")
		after(time.Second)
		select {
		case <-c.Examined():
		default:
			t.Error("something waits to be examined")
		}
		if got := c.Registrations(); len(got) > 0 {
			t.Errorf("%v", got)
		}
		c.stop()
	})
}
