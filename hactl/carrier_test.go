package hactl

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

var v32 = haproxy.Version{Major: 3, Minor: 2, Full: "3.2.26"}

// carried returns a story whose groups web and api get their servers in a way.
func carried(tb testing.TB, way haproxy.Carry) *story {
	tb.Helper()
	web, api := backendOf("web", 2), backendOf("api", 2)
	web.Carry, api.Carry = way, way
	s := newStory(tb, web, api)
	s.with(func(o *Options) { o.Frame.Version = v32 })
	return s
}

// onEachCarrier runs a test of what all carriers have in common.
func onEachCarrier(t *testing.T, test func(t *testing.T, s *story)) {
	t.Helper()
	t.Parallel()
	for _, way := range []haproxy.Carry{haproxy.CarrySlots, haproxy.CarryServers} {
		t.Run(string(way), func(t *testing.T) {
			t.Parallel()
			s := carried(t, way)
			same(t, "carried by", registry.Carried{By: string(way)}, s.Snapshot().Carried[0])
			test(t, s)
		})
	}
}

// inService returns the sorted last numbers of the addresses that every worker has in service
// in a backend; nil if the workers differ.
func (s *story) inService(backend string) (numbers []int) {
	for i, worker := range s.ha.serving(backend) {
		now := slices.DeleteFunc(slices.Sorted(slices.Values(worker)), func(n int) bool { return n == 0 })
		if i > 0 && !slices.Equal(now, numbers) {
			return nil
		}
		numbers = now
	}
	return numbers
}

// settles lets the controller take all steps that are due within a time.
func (s *story) settles(tb testing.TB, within time.Duration) {
	tb.Helper()
	for end := s.time().Add(within); s.time().Before(end); {
		s.step(tb.Context())
		at := s.next()
		if at.IsZero() || at.After(end) {
			at = end
		}
		if wait := at.Sub(s.time()); wait > 0 {
			s.passes(wait)
		}
	}
	s.step(tb.Context())
}

func TestEachCarrierServesWhatIsRegistered(t *testing.T) {
	onEachCarrier(t, func(t *testing.T, s *story) {
		s.set("web", 1, 2)
		s.set("api", 9)
		s.launch(t)
		for _, step := range [][]int{{1, 2, 3}, {2, 3, 4, 5, 6, 7}, {7}, {1, 7}, {7, 8}} {
			s.set("web", step...)
			s.settles(t, 10*time.Minute) // neither damped nor waiting for a reload
			same(t, "in service", step, s.inService("web"))
			same(t, "the other group", []int{9}, s.inService("api"))
		}
	})
}

func TestEachCarrierAppliesOverridesAndWeights(t *testing.T) {
	onEachCarrier(t, func(t *testing.T, s *story) {
		s.set("web", 1, 2)
		s.set("api")
		s.launch(t)
		server := s.desired.groups[0].server(0)
		s.ha.worker(0).do("set server "+server+" state drain", "set server "+server+" weight 7")
		s.resync(t.Context())
		s.settles(t, time.Second)
		for i := range 2 {
			same(t, "an operator's state, in all workers", "10.0.0.1:80 drain", s.ha.worker(i).show(server))
			same(t, "an operator's weight, in all workers", 7, s.ha.worker(i).weight(server))
		}
		if err := s.replaceGeneration(t.Context(), "signal"); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			same(t, "over a reload", "10.0.0.1:80 drain", s.ha.worker(i).show(server))
		}
	})
}

// Whatever is registered in whatever order, and whatever commands fail or others do to the
// servers meanwhile, in the end every worker serves exactly what is registered.
func TestEachCarrierEndsExact(t *testing.T) {
	t.Parallel()
	for _, way := range []haproxy.Carry{haproxy.CarrySlots, haproxy.CarryServers} {
		for seed := range uint64(40) {
			t.Run(fmt.Sprintf("%s-%d", way, seed), func(t *testing.T) {
				t.Parallel()
				happenings{carried(t, way), rand.New(rand.NewPCG(seed, 0))}.play(t)
			})
		}
	}
}

// happenings are what happens to a story at random.
type happenings struct {
	*story
	random *rand.Rand
}

func (h happenings) play(t *testing.T) {
	registered := map[string][]int{"web": {1}, "api": {101}}
	for group, last := range registered {
		h.set(group, last...)
	}
	h.launch(t)
	for range 25 {
		h.one(t, registered)
		if h.random.IntN(3) > 0 {
			h.step(t.Context())
		}
		h.passes(time.Duration(h.random.Int64N(int64(40 * time.Second))))
	}
	for i := range 2 {
		w := h.ha.worker(i)
		w.refuse("", 0)
		w.endSessions()
	}
	h.resync(t.Context())
	h.settles(t, 20*time.Minute)
	h.resync(t.Context())
	h.settles(t, time.Minute)
	for group, last := range registered {
		same(t, group, slices.Sorted(slices.Values(last)), h.inService(group))
		same(t, group+" in the file", slices.Sorted(slices.Values(last)), h.inFile(group))
		if !h.dynamic(group) {
			continue
		}
		for i := range 2 {
			if n := len(h.ha.worker(i).has(group)); n != len(last) {
				t.Errorf("%s: worker %d still has %d servers: %v", group, i, n, h.ha.worker(i).has(group))
			}
		}
	}
}

// dynamic reports whether a group is carried by servers: a refused command ends that.
func (h happenings) dynamic(group string) bool {
	return h.desired.groups[slices.Index([]string{"web", "api"}, group)].dynamic()
}

// one lets something happen.
func (h happenings) one(t *testing.T, registered map[string][]int) {
	t.Helper()
	group := slices.Sorted(maps.Keys(registered))[h.random.IntN(2)]
	w := h.ha.worker(h.random.IntN(2))
	switch h.random.IntN(9) {
	case 0, 1, 2, 3:
		base := registered[group][0] // always stays: no loss is implausible
		now := []int{base}
		for n := base + 1; n < base+8; n++ {
			if h.random.IntN(2) == 0 {
				now = append(now, n)
			}
		}
		registered[group] = now
		h.set(group, now...)
	case 4:
		parts := []string{"state", "weight", "set server", "enable health", "del server", "show servers", "show stat", "wait"}
		if h.random.IntN(8) == 0 {
			parts = []string{"add server"}
		}
		w.refuse(parts[h.random.IntN(len(parts))], 1+h.random.IntN(3))
	case 5:
		names := w.has(group)
		if len(names) > 0 && h.dynamic(group) {
			name := group + "/" + names[h.random.IntN(len(names))]
			w.setSessions(name, 0) // otherwise it is an operator's maint
			w.do("set server "+name+" state maint", "del server "+name)
		}
	case 6:
		if h.dynamic(group) {
			w.do(fmt.Sprintf("add server %s/10.0.9.%d:80 10.0.9.%d:80", group, h.random.IntN(3), h.random.IntN(3)))
		}
	case 7:
		if names := w.has(group); len(names) > 0 {
			w.setSessions(group+"/"+names[h.random.IntN(len(names))], h.random.IntN(2))
		}
	case 8:
		if h.random.IntN(4) == 0 {
			_ = h.replaceGeneration(t.Context(), "signal")
		} else {
			h.resync(t.Context())
		}
	}
}

func (w *fakeWorker) endSessions() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.servers {
		s.sessions = 0
	}
}
