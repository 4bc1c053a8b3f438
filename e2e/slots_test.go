package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// exchange moves one instance from the first group to the second, and another the
// other way, in one transaction.
func (s *stage) exchange(first, second string, out, in *rig.App) {
	s.t.Helper()
	create := func(group string, a *rig.App) *zk.CreateRequest {
		return &zk.CreateRequest{Path: s.node(group) + "/" + a.Addr(), Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral}
	}
	remove := func(group string, a *rig.App) *zk.DeleteRequest {
		return &zk.DeleteRequest{Path: s.node(group) + "/" + a.Addr(), Version: -1}
	}
	if results, err := s.registry.Conn().Multi(remove(first, out), remove(second, in), create(first, in), create(second, out)); err != nil {
		s.t.Fatalf("exchange %s and %s: %v %v", out.Addr(), in.Addr(), results, err)
	}
}

// watcher looks all the time which group each worker serves an address for. Once
// one of them serves the new group, none may be seen to serve the old one.
type watcher struct {
	s    *stage
	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	moves map[string]*move
	looks int
}

type move struct {
	from, to string
	entered  bool // seen to serve the new group
}

func (s *stage) watch() *watcher {
	w := &watcher{s: s, stop: make(chan struct{}), moves: make(map[string]*move)}
	w.done.Go(func() {
		for {
			for _, socket := range s.config.Sockets() {
				if err := w.look(socket); err != nil {
					s.t.Error(err)
				}
			}
			select {
			case <-w.stop:
				return
			default:
			}
		}
	})
	return w
}

// expect tells that an address is about to move.
func (w *watcher) expect(addr, from, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moves[addr] = &move{from: from, to: to}
}

func (w *watcher) look(socket string) error {
	servers, err := rig.ServersState(socket)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	for addr, m := range w.moves {
		var old, next bool
		for _, server := range servers {
			serves := server.Serving() && server.Endpoint() == addr
			old, next = old || serves && server.Backend == m.from, next || serves && server.Backend == m.to
		}
		if old && (next || m.entered) {
			return fmt.Errorf("%s serves %s behind %s although a worker serves %s with it", addr, m.from, socket, m.to)
		}
		m.entered = m.entered || next
	}
	return nil
}

// end returns how often it has looked.
func (w *watcher) end() int {
	close(w.stop)
	w.done.Wait()
	return w.looks
}

func TestAddressThatMovesNeverServesTwoGroups(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Workers = 4 })
		a, b := s.apps(3, front), s.apps(3, base)
		s.serves(front, a...)
		s.serves(base, b...)
		w := s.watch()
		for i := range 15 {
			out, in := a[i%3], b[i%3]
			w.expect(out.Addr(), front, base)
			w.expect(in.Addr(), base, front)
			s.exchange(front, base, out, in)
			a[i%3], b[i%3] = in, out
			s.serves(front, a...)
			s.serves(base, b...)
		}
		if looks := w.end(); looks < 100 {
			t.Errorf("%d looks are too few", looks)
		}
		s.stopped()
	})
}

// Instances of two applications change places again and again while slow answers
// run: a slot that had another's connections would give a wrong answer.
func TestTwoGroupsExchangeTheirInstances(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			for i := range c.Groups {
				c.Groups[i].ServerTemplate, c.Groups[i].MaxServer = "", 4
			}
		})
		a, b := s.apps(3, front), s.apps(3, base)
		s.serves(front, a...)
		s.serves(base, b...)
		load := s.load(append(through(), rig.Target{Path: "/slow?ms=150", App: front}, rig.Target{Path: "/basecentre/slow?ms=150", App: base})...)
		// What moves becomes the other application once nothing runs on it.
		become := func(app *rig.App, group string) {
			if err := app.Unregister(); err != nil {
				t.Fatal(err)
			}
			if err := app.Quiet(t.Context(), 100*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			app.Become(group)
		}
		for i := range 12 {
			out, in := a[i%3], b[i%3]
			become(out, base)
			become(in, front)
			s.again(base, out)
			s.again(front, in)
			a[i%3], b[i%3] = in, out
			s.serves(front, a...)
			s.serves(base, b...)
		}
		s.eventually("all are used", func() error { return used(load, append(a, b...)) })
		s.lost(load)
		s.stopped()
	})
}

// An instance whose sessions go on keeps its slot, even where it is the last one:
// slots are added instead, and the long answer comes to its end.
func TestSlotWithSessionsIsNotReAddressed(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Groups[0].MaxServer = 2 })
		a := s.app(front)
		s.serves(front, a)
		slow := s.slow(a, 3*time.Second) // nobody else could answer
		b := s.app(front)
		s.serves(front, a, b)
		load := s.load(rig.Target{Path: "/", App: front})
		if err := a.Unregister(); err != nil {
			t.Fatal(err)
		}
		s.serves(front, b)
		before := s.pids()
		c := s.app(front)
		s.serves(front, b, c)
		if now := s.pids(); now[0] == before[0] {
			for _, socket := range s.config.Sockets() {
				servers, err := rig.ServersState(socket)
				t.Errorf("no slots were added: %v %v", servers, err)
			}
		}
		if err := <-slow; err != nil {
			t.Errorf("a running request was cut: %v", err)
		}
		s.lost(load)

		// At rest the slot is another's, and nothing is added.
		if err := c.Unregister(); err != nil {
			t.Fatal(err)
		}
		s.serves(front, b)
		before = s.pids()
		for range 4 {
			d := s.app(front)
			s.serves(front, b, d)
			if err := d.Retire(t.Context(), 100*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			s.serves(front, b)
		}
		if now := s.pids(); now[0] != before[0] {
			t.Errorf("slots were added although others were at rest")
		}
	})
}
