package hactl

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Whatever groups come and go in whatever order, and whatever commands fail or others do to
// the backends meanwhile, every worker finally has the groups that exist, routes to them,
// and has no others.
func TestLiveGroupsEndExact(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			comings{live(t, "g0"), rand.New(rand.NewPCG(seed, 1)), map[string][]int{"g0": {1}}}.play(t)
		})
	}
}

// comings are what happens to the groups of a story at random.
type comings struct {
	*story
	random     *rand.Rand
	registered map[string][]int // instances by group
}

func (c comings) names() (names []string) {
	for name := range c.registered {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c comings) play(t *testing.T) {
	c.launch(t)
	for range 30 {
		c.one(t)
		if c.random.IntN(3) > 0 {
			c.step(t.Context())
		}
		c.passes(time.Duration(c.random.Int64N(int64(50 * time.Second))))
	}
	for i := range 2 {
		c.ha.worker(i).refuse("", 0)
		c.ha.worker(i).endSessions()
		for n := range 6 {
			c.ha.worker(i).uses(fmt.Sprintf("g%d", n), 0)
		}
	}
	for range 3 {
		c.fleet.resyncAt = c.time()
		c.settles(t, 10*time.Minute)
	}
	for i := range 2 {
		same(t, "routed to", c.names(), c.ha.worker(i).routes(routesFile))
		for n := range 6 {
			name := fmt.Sprintf("g%d", n)
			if _, exists := c.registered[name]; exists != c.ha.worker(i).knows(name) {
				t.Errorf("worker %d: %s exists: %v, its backend: %v", i, name, exists, !exists)
			}
		}
	}
	for name, last := range c.registered {
		same(t, name, last, c.inService(name))
		same(t, name+" in the file", last, c.inFile(name))
	}
	same(t, "routed to in the file", c.names(), c.startedFromFile().routes(routesFile))
}

// live reports whether a group is carried by backends: a refused command ends that.
func (c comings) live(name string) bool {
	return slices.ContainsFunc(c.desired.groups, func(g *group) bool { return g.backend.Name == name && g.live() })
}

// one lets something happen.
func (c comings) one(t *testing.T) {
	t.Helper()
	name := fmt.Sprintf("g%d", c.random.IntN(6))
	w := c.ha.worker(c.random.IntN(2))
	switch c.random.IntN(9) {
	case 0, 1, 2:
		if _, exists := c.registered[name]; exists {
			delete(c.registered, name)
		} else {
			c.registered[name] = []int{1 + c.random.IntN(20)}
		}
		c.SetGroups(registry.Discovered{Names: c.names()})
		if last, exists := c.registered[name]; exists {
			c.set(name, last...)
		}
	case 3:
		if last, exists := c.registered[name]; exists {
			c.registered[name] = []int{last[0], 30 + c.random.IntN(20)}
			c.set(name, c.registered[name]...)
		}
	case 4:
		parts := []string{"publish", "unpublish", "map", "add server", "del server", "show stat", "show servers", "state", "wait", "enable health"}
		if c.random.IntN(8) == 0 {
			parts = []string{"add backend", "del backend"}
		}
		w.refuse(parts[c.random.IntN(len(parts))], 1+c.random.IntN(3))
	case 5:
		if w.knows(name) && c.live(name) {
			w.do("unpublish backend " + name)
		}
	case 6:
		if w.knows(name) && c.live(name) {
			for _, server := range w.has(name) {
				w.setSessions(name+"/"+server, 0)
				w.do("set server "+name+"/"+server+" state maint", "del server "+name+"/"+server)
			}
			w.do("unpublish backend "+name, "del backend "+name)
		}
	case 7:
		w.uses(name, c.random.IntN(2))
	case 8:
		if c.random.IntN(4) == 0 {
			_ = c.replaceGeneration(t.Context(), "signal")
		} else {
			c.fleet.resyncAt = c.time()
		}
	}
}
