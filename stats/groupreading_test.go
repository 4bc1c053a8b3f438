package stats

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// ofGroup returns how many requests the instance of the group web has had by a reading of
// this group.
func ofGroup(t *testing.T, c *Collector, name string) (r *Reading, had uint64) {
	t.Helper()
	r, err := c.ReadGroup(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range r.Groups {
		if g.Name == "web" {
			had = g.Instances[0].Counters[haproxy.TotalSessions]
		}
	}
	return r, had
}

func TestOneGroupIsRead(t *testing.T) {
	t.Parallel()
	one, other := startWorker(t, 11), startWorker(t, 12)
	fleet := &fakeFleet{}
	fleet.serve(one, other)
	c, passes := fleet.collector(prometheus.NewRegistry())
	one.had(5)
	r, had := ofGroup(t, c, "web")
	if len(r.Groups) != 1 || len(r.Frontends) != 0 || r.Workers != 2 || had != 6 {
		t.Errorf("%d requests by %+v", had, r)
	}
	one.had(8)
	if _, had := ofGroup(t, c, "web"); had != 6 || one.times() != 1 {
		t.Errorf("within the second: %d requests, asked %d times", had, one.times())
	}
	passes(maxAge)
	if _, had := ofGroup(t, c, "web"); had != 9 || one.times() != 2 {
		t.Errorf("after a second: %d requests, asked %d times", had, one.times())
	}
	one.had(9)
	if r, had := requests(t, c); had != 10 || len(r.Frontends) != 1 {
		t.Errorf("a reading of all after that: %d requests by %+v", had, r)
	}
	one.had(10)
	if r, had := ofGroup(t, c, "web"); had != 10 || len(r.Frontends) != 1 {
		t.Errorf("the reading of all is not shared: %d requests by %+v", had, r)
	}
}

// Requests for many groups cost no more than one for all.
func TestManyGroupsAreReadTogether(t *testing.T) {
	t.Parallel()
	w := startWorker(t, 11)
	fleet := &fakeFleet{}
	fleet.serve(w)
	c, _ := fleet.collector(prometheus.NewRegistry())
	for i := range fewGroups {
		c.groups.readings = map[string]*Reading{}
		for n := range i {
			c.groups.readings[fmt.Sprint(n)] = &Reading{}
		}
		c.groups.since = c.opts.clock()
		if r, _ := ofGroup(t, c, "web"); len(r.Frontends) > 0 {
			t.Fatalf("beside %d others all are read", i)
		}
	}
	if r, had := ofGroup(t, c, "other"); len(r.Frontends) != 1 || had != 1 {
		t.Errorf("not all were read: %+v", r)
	}
}

// HAProxy may have a frontend of that name, and answers about that one.
func TestGroupThatWorkersDoNotFindIsReadWithAll(t *testing.T) {
	t.Parallel()
	w := startWorker(t, 11)
	fleet := &fakeFleet{}
	fleet.serve(w)
	c, _ := fleet.collector(prometheus.NewRegistry())
	if r, had := ofGroup(t, c, "fe"); len(r.Frontends) != 1 || had != 1 {
		t.Errorf("not all were read: %+v", r)
	}
}

// What a slot counted before its instance left belongs to that instance, though only this
// group was ever read.
func TestSlotOfAReadGroupChangesHands(t *testing.T) {
	s := newStory(t)
	s.readPart(1, s.now, s.now, s.now, []haproxy.Stats{server("web1", 1, 3)})
	s.settle(1, server("web1", 1, 5), s.now)
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 2, 9)}})
	s.counted("both", map[int]uint64{1: 5, 2: 4})
}
