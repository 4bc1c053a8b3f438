package e2e

import (
	"fmt"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// starting waits until every worker ramps up the traffic of an instance.
func (s *stage) starting(group string, app *rig.App) {
	s.t.Helper()
	s.operates(group, app, 1)
}

// operates waits until an instance has an operational state in every worker.
func (s *stage) operates(group string, app *rig.App, state int) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s has operational state %d", app.Addr(), state), func() error {
		for _, socket := range s.config.Sockets() {
			servers, err := rig.ServersState(socket)
			if err != nil {
				return err
			}
			found := false
			for _, server := range servers {
				if server.Backend == group && server.Endpoint() == app.Addr() {
					if found = true; server.OpState != state {
						return fmt.Errorf("%s: operational state %d", socket, server.OpState)
					}
				}
			}
			if !found {
				return fmt.Errorf("%s does not know it", socket)
			}
		}
		return nil
	})
}

// An instance gets its full share of the requests only after its slow start, whether a
// reload falls in it or brings the instance in.
func TestReloadsKeepSlowStarts(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) {
			// A check that fails on a busy machine would begin a slow start of its own.
			c.Groups[0].ServerTemplate = "${group_name} 1-2 ${ip_port} check inter 300 rise 1 fall 20 slowstart 60s disabled"
		})
		s.connect()
		a := s.app(front) // HAProxy has no slow start at its own start
		s.start()
		s.ready()
		s.serves(front, a)
		s.operates(front, a, 2)
		load := s.load(rig.Target{Path: "/", App: front})
		b := s.app(front)
		s.serves(front, a, b)
		s.starting(front, b)
		for range 3 {
			s.reload()
			s.serves(front, a, b)
			s.starting(front, b)
		}

		before := s.pids()
		c := s.app(front) // there is no third slot
		s.serves(front, a, b, c)
		s.renewed(before)
		s.starting(front, b)
		s.starting(front, c)

		// Now that no other can take the requests, none is left out for its slow start.
		s.do("unregister", a.Unregister)
		s.serves(front, b, c)
		s.reload()
		s.serves(front, b, c)
		s.lost(load)
		s.stopped()
	})
}
