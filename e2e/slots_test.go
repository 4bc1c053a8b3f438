package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// exchange moves one instance from the first group to the second, and another one back,
// in one transaction.
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

// watcher polls which group each worker serves an address for. Once one of them serves
// the new group, none may serve the old one.
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

// expect announces that an address is about to move.
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
		// A worker dumps one server after the other, and does not hold commands up
		// meanwhile: a line is true when it is written.
		for _, server := range servers {
			serves := server.Serving() && server.Endpoint() == addr
			if serves && server.Backend == m.from && m.entered {
				return fmt.Errorf("%s serves %s behind %s after a worker served %s with it", addr, m.from, socket, m.to)
			}
			m.entered = m.entered || serves && server.Backend == m.to
		}
	}
	return nil
}

// end stops the watcher and returns how often it has polled.
func (w *watcher) end() int {
	close(w.stop)
	w.done.Wait()
	return w.looks
}

func TestMovingAddressNeverServesTwoGroups(t *testing.T) {
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

// Instances of two applications swap groups repeatedly while slow requests are running:
// a slot with connections of the other application would give a wrong answer.
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
		// A moved instance changes its application once no request is running on it.
		become := func(app *rig.App, group string) {
			if err := app.Unregister(); err != nil {
				t.Fatal(err)
			}
			s.eventually(app.Addr()+" is left", func() error { return s.config.Left(app.Name(), app.Addr()) })
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

// An instance with running sessions keeps its slot, even the last one: slots are added
// instead, and the long request finishes.
func TestSlotWithSessionsIsNotReAddressed(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups[0].MaxServer = 2
			c.Groups[0].Extra = map[string]any{"server_close": true} // its slots wait for sessions only
		})
		a := s.app(front)
		s.serves(front, a)
		slow := s.slow(a, 3*time.Second) // the only instance that can answer
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

		// A slot at rest is reused, and none is added.
		if err := c.Unregister(); err != nil {
			t.Fatal(err)
		}
		s.serves(front, b)
		before = s.pids()
		for range 4 {
			d := s.app(front)
			s.serves(front, b, d)
			s.retire(front, d)
			s.serves(front, b)
		}
		if now := s.pids(); now[0] != before[0] {
			t.Errorf("slots were added although others were at rest")
		}
	})
}
