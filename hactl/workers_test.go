package hactl

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestWorkersAreThoseThatServe(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	same(t, "before the start", 0, len(s.Workers()))
	s.set("web", 1)
	s.launch(t)
	shown := func() (workers []registry.Worker) {
		for i, socket := range s.ha.sockets {
			workers = append(workers, registry.Worker{PID: s.ha.worker(i).pid, Socket: socket.path})
		}
		return workers
	}
	first := shown()
	same(t, "after the start", first, s.Workers())
	s.replaceDead(first[0].PID)
	same(t, "after a death", first[1:], s.Workers())
	if err := s.replaceGeneration(t.Context(), s.wanted()); err != nil {
		t.Fatal(err)
	}
	same(t, "after the reload", shown(), s.Workers())
}

// Another instance gets a server only after the figures of the last one were handed over.
func TestFiguresOfInstancesThatLeaveAreSettled(t *testing.T) {
	t.Parallel()
	type settled struct {
		pid int
		row haproxy.Stats
	}
	var got []settled
	s := newStory(t, backendOf("web", 2))
	s.with(func(o *Options) {
		o.Settle = func(pid int, last haproxy.Stats) { got = append(got, settled{pid, last}) }
	})
	s.set("web", 1, 2)
	s.launch(t)
	for i := range s.ha.sockets {
		s.ha.worker(i).setTotal("web/web1", 10+i)
	}
	s.ha.worker(1).setSessions("web/web1", 1)
	s.set("web", 2)
	s.step(t.Context())
	s.fleet.freeSlots(t.Context(), s.desired.groups)
	same(t, "while a session runs", 0, len(got))
	s.ha.worker(1).setSessions("web/web1", 0)
	s.fleet.freeSlots(t.Context(), s.desired.groups)
	total := make(map[int]uint64)
	for _, g := range got {
		if g.row.Server != "web1" || g.row.Addr != addr1 {
			t.Errorf("settled %+v", g.row)
		}
		total[g.pid] = g.row.Counters[haproxy.TotalSessions]
	}
	same(t, "sessions", map[int]uint64{s.ha.worker(0).pid: 10, s.ha.worker(1).pid: 11}, total)
}
