package membership

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// instances returns instances 10.0.0.x:80.
func instances(last ...int) []registry.Instance {
	var out []registry.Instance
	for _, n := range last {
		out = append(out, registry.Instance{Addr: netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:80", n))})
	}
	return out
}

// last returns the last number of an instance's address.
func last(i registry.Instance) int { return int(i.Addr.Addr().As4()[3]) }

// lastOf returns the last numbers of the instances' addresses.
func lastOf(instances []registry.Instance) []int {
	var out []int
	for _, i := range instances {
		out = append(out, last(i))
	}
	return out
}

func same[T any](tb testing.TB, what string, want, got T) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("%s: -want +got\n%s", what, diff)
	}
}

// world implements [Facts] for a group with as many servers as it needs: instances in
// service are up and take requests except for those in down, and the others wait for a
// server.
type world struct {
	unguarded   bool
	serves      []registry.Instance // what the group was meant to serve last
	down        []int
	elsewhere   []int
	freeServers int
}

func (w *world) Guarded() bool { return !w.unguarded }

func (w *world) InService(i registry.Instance) bool { return slices.Contains(w.serves, i) }

func (w *world) Up(i registry.Instance) bool {
	return w.InService(i) && !slices.Contains(w.down, last(i))
}

func (w *world) Traffic(i registry.Instance) Traffic {
	switch {
	case slices.Contains(w.down, last(i)):
		return Idle
	case w.InService(i):
		return Serving
	}
	return Entering
}

func (w *world) Untested(registry.Instance) bool { return false }

func (w *world) Elsewhere(i registry.Instance) bool { return slices.Contains(w.elsewhere, last(i)) }

func (w *world) FreeServers() int { return w.freeServers }
