//go:build deploy

package deploy

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// routes are the ways to two load balancers that are compared: a front that tries again
// elsewhere, one that only asks /readyz, and none.
type routes struct {
	t      *testing.T
	fronts map[string]string
}

const (
	retrying, asking, direct = "a front that tries again", "a front that asks /readyz", "no front"
)

func newRoutes(a, b *stack) *routes {
	return &routes{a.t, map[string]string{
		retrying: newFront(a.t, again(), a.ports, b.ports).addr,
		asking:   newFront(a.t, never(), a.ports, b.ports).addr,
		direct:   net.JoinHostPort("127.0.0.1", strconv.Itoa(a.listener)),
	}}
}

// during returns how many requests are lost on each route while act runs.
func (r *routes) during(what string, act func() (note string)) map[string]int {
	r.t.Helper()
	loads, lost := make(map[string]*rig.Load), make(map[string]*failures)
	for route, addr := range r.fronts {
		lost[route] = new(failures)
		load, err := rig.NewLoad(rig.LoadOptions{
			Addr: addr, Targets: []rig.Target{target()}, Fresh: clients, Rate: rate / clients, Timeout: patience, Failed: lost[route].add,
		})
		must(r.t, err)
		load.Start(r.t.Context())
		defer load.Stop()
		loads[route] = load
		more(r.t, load, rate)
	}
	note := act()
	count := make(map[string]int)
	for route, load := range loads {
		more(r.t, load, rate)
		result := load.Stop()
		count[route] = result.Failures
		r.t.Logf("%s (%s), %s: of %d requests %d were lost within %s", what, note, route, result.Requests, result.Failures, lost[route].lasted().Round(10*time.Millisecond))
		if route == retrying && result.Failures > 0 {
			r.t.Errorf("%s, %s: %s", what, route, result)
		}
	}
	return count
}

// A swarm updates load balancers one by one, rotates their secret and rolls back what does
// not work, while a front that tries another one loses no request.
func TestSwarmStackIsUpdatedWithoutLoss(t *testing.T) {
	s := newSwarm(t)
	first, second := s.tagged("first"), s.tagged("second")
	a, b := s.newStack(first), s.newStack(first)
	a.instances(2)
	b.instances(2)
	node := `"node":"` + s.must("info", "--format", "{{.Name}}") + `"`
	if _, body := rig.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", a.http)); !strings.Contains(body, node) {
		t.Errorf("/readyz has no %s: %s", node, body)
	}
	r := newRoutes(a, b)

	lost := r.during("both are updated", func() string {
		took := a.update("completed", "HAPROXY_ZK_IMAGE="+second)
		return fmt.Sprint(took.Round(time.Second), " + ", b.update("completed", "HAPROXY_ZK_IMAGE="+second).Round(time.Second))
	})
	if lost[asking] > 0 {
		t.Errorf("STOP_DELAY does not outlast the checks of a front: %d requests were lost", lost[asking])
	}
	if lost[direct] == 0 {
		t.Error("nothing was lost without a front, so this test does not show what one is for")
	}

	r.during("the secret is rotated", func() string {
		took := a.update("completed", "ADMIN_FILE="+a.write("second.txt", "second"), "ADMIN_VERSION=2")
		rendered := s.must("exec", a.container(), "haproxy-zk", "render")
		if !strings.Contains(rendered, "admin:second") || strings.Contains(rendered, "admin:first") {
			t.Errorf("the stats page has not the new password alone:\n%s", rendered)
		}
		return took.Round(time.Second).String()
	})

	lost = r.during("the application is scaled", func() string {
		for _, instances := range []int{4, 1, 2} {
			s.must("service", "scale", "--detach", fmt.Sprintf("%s=%d", s.app, instances))
			a.instances(instances)
			b.instances(instances)
		}
		return "2, 4, 1, 2"
	})
	if lost[asking]+lost[direct] > 0 {
		t.Errorf("scaling the application lost requests: %v", lost)
	}
	a.isRolledBack(r, "an image that fails its health check",
		"HAPROXY_ZK_IMAGE="+s.changed(first, `ENTRYPOINT ["/usr/local/bin/haproxy-zk","run","--http-addr",":21009"]`))
	a.isRolledBack(r, "a configuration that HAProxy rejects", "LINES_FILE="+a.write("bad.cfg", "no-such-keyword"), "LINES_VERSION=2")
	a.isRefused("a secret without its file", "ADMIN_FILE="+a.file+".missing", "ADMIN_VERSION=3")
}

// isRolledBack deploys what cannot work.
func (k *stack) isRolledBack(r *routes, what string, set ...string) {
	k.t.Helper()
	image := k.must("inspect", "--format", "{{.Config.Image}}", k.container())
	r.during(what, func() string { return k.update("rollback_completed", set...).Round(time.Second).String() })
	if got := k.must("inspect", "--format", "{{.Config.Image}}", k.container()); got != image {
		k.t.Errorf("%s: %s runs, not %s", what, got, image)
	}
}

// isRefused deploys what is not even tried.
func (k *stack) isRefused(what string, set ...string) {
	k.t.Helper()
	before := k.container()
	if err := k.deploy(k.with(set...)); err == nil {
		k.t.Errorf("%s: no error", what)
	}
	if after := k.container(); after != before {
		k.t.Errorf("%s: the container was replaced", what)
	}
}
