package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// kept prepares groups of a few slots, and a template whose clients are kept for 3 s.
func kept(defaults string) func(*rig.SeedConfig) {
	return func(c *rig.SeedConfig) {
		c.Template = strings.ReplaceAll(rig.SeedTemplate, "20000", "1000") // descriptors for kept clients
		c.Template = strings.Replace(c.Template, "defaults\n", "defaults\n    timeout http-keep-alive 3s\n    option redispatch\n"+defaults, 1)
		for i := range c.Groups {
			c.Groups[i].ServerTemplate, c.Groups[i].MaxServer = "", 8
		}
	}
}

const restingClients = 6

// keptClients are clients that keep their connections, and those of them that rest nearly
// as long as HAProxy keeps an idle client.
func (s *stage) keptClients() (busy, resting *rig.Load) {
	s.t.Helper()
	begin := func(clients int, rate float64) *rig.Load {
		load, err := rig.NewLoad(rig.LoadOptions{Addr: s.config.Listener(), Targets: through(), KeepAlive: clients, Rate: rate, MaxTime: 5 * time.Minute})
		if err != nil {
			s.t.Fatal(err)
		}
		load.Start(s.t.Context())
		s.t.Cleanup(func() { load.Stop() })
		return load
	}
	return begin(12, 10), begin(restingClients, 0.4)
}

// eachRests waits until each of the resting clients has sent a request.
func (s *stage) eachRests(resting *rig.Load) {
	s.t.Helper()
	before := resting.Result().Requests
	s.eventually("each client has sent a request", func() error {
		if now := resting.Result().Requests; now < before+2*restingClients {
			return fmt.Errorf("%d of %d requests", now-before, 2*restingClients)
		}
		return nil
	})
}

// lostAfterRest is lost for clients that rest so long that a busy machine may let HAProxy
// end an idle connection: no request is sent on it.
func (s *stage) lostAfterRest(resting *rig.Load) {
	s.t.Helper()
	if result := resting.Stop(); result.Failures > result.IdleCloses || result.Requests == 0 {
		s.t.Errorf("requests were lost, or none was made:\n%s", result)
	}
}

// departed are instances that have left all groups, with the time of their last request.
type departed map[*rig.App]time.Time

// leave deregisters an instance, which keeps running, and waits until its requests have
// ended.
func (d departed) leave(s *stage, group string, app *rig.App) {
	s.t.Helper()
	if err := app.Unregister(); err != nil {
		s.t.Fatal(err)
	}
	s.eventually(app.Addr()+" is left", func() error { return s.config.Left(group, app.Addr()) })
	if err := app.Quiet(s.t.Context(), 150*time.Millisecond); err != nil {
		s.t.Fatal(err)
	}
	_, d[app] = app.Traffic()
}

// check fails the test if an instance has got a request since it left.
func (d departed) check(t *testing.T) {
	t.Helper()
	for app, last := range d {
		if _, now := app.Traffic(); now.After(last) {
			t.Errorf("%s got a request %s after it had left", app.Addr(), now.Sub(last))
		}
	}
}

// exchangeAll makes two groups exchange their instances, one pair at a time, and replaces
// an instance of each group by a new one in between: slots are reused by addresses of
// the other group while clients from before are connected.
func (s *stage) exchangeAll(rounds int) {
	s.t.Helper()
	a, b := s.apps(3, front), s.apps(3, base)
	left := departed{}
	s.serves(front, a...)
	s.serves(base, b...)
	busy, resting := s.keptClients()
	for i := range rounds {
		out, in := a[i%3], b[i%3]
		for app, to := range map[*rig.App]string{out: base, in: front} {
			left.leave(s, app.Name(), app)
			delete(left, app)
			app.Become(to)
		}
		s.again(base, out)
		s.again(front, in)
		a[i%3], b[i%3] = in, out
		s.serves(front, a...)
		s.serves(base, b...)
		next := (i + 1) % 3
		old := a[next]
		a[next] = s.app(front)
		s.serves(front, append(a, old)...)
		left.leave(s, front, old)
		s.serves(front, a...)
		s.eachRests(resting)
	}
	s.eventually("all are used", func() error { return errors.Join(used(busy, a), used(busy, b)) })
	s.lost(busy)
	s.lostAfterRest(resting)
	left.check(s.t)
	s.stopped()
}

// Kept clients never get the answer of another application, and never reach an instance
// that has left, although slots are reused.
func TestKeptClientsGetAnswersOfTheirGroupOnly(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) { begin(t, h, kept("")).exchangeAll(6) })
}

// HAProxy 2.2 to 3.0.10, and 3.1 to 3.1.7, keep a client on its server connection if
// connections are not shared.
func TestClientsWithUnsharedConnectionsGetAnswersOfTheirGroupOnly(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) { begin(t, h, kept("    http-reuse never\n")).exchangeAll(5) })
}

func TestServerCloseGivesEachRequestItsConnection(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			kept("")(c)
			for i := range c.Groups {
				c.Groups[i].Extra = map[string]any{"server_close": true}
			}
		})
		if err := s.renders("option http-server-close", 2); err != nil {
			t.Error(err)
		}
		s.exchangeAll(3)
	})
}

// renders returns nil if the rendered configuration has a line n times.
func (s *stage) renders(line string, n int) error {
	text, err := os.ReadFile(s.config.ConfFile())
	if err != nil {
		return err
	}
	if got := strings.Count(string(text), "    "+line+"\n"); got != n {
		return fmt.Errorf("%d lines %q instead of %d:\n%s", got, line, n, text)
	}
	return nil
}

// Slots are reused once the kept clients have renewed their connections: releases need no
// reload.
func TestSlotsAreReusedWithoutReload(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, kept(""))
		a, b := s.apps(4, front), s.apps(1, base)
		s.serves(front, a...)
		s.serves(base, b...)
		busy, resting := s.keptClients()
		s.eventually("all are used", func() error { return used(busy, a) })
		before := s.pids()
		left := departed{}
		for i := range 6 { // of which four fit into the slots
			old := a[i%4]
			a[i%4] = s.app(front)
			s.serves(front, append(a, old)...)
			left.leave(s, front, old)
			s.eachRests(resting)
		}
		if now := s.pids(); now[0] != before[0] {
			t.Error("slots were added although the kept clients had renewed their connections")
		}
		s.lost(busy)
		s.lostAfterRest(resting)
		left.check(t)
	})
}

// Where the template keeps clients from renewing their connections, each request gets a
// server connection: slots are reused rightly there too.
func TestTemplateThatPreventsRenewalClosesServerConnections(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		pins := h.Major == 2 && h.Minor < 2
		s := begin(t, h, kept("    http-reuse always\n"))
		const reason = "`http-reuse` hands the connections of a kept client on to other clients"
		lines := 0
		if pins {
			lines = 2
		}
		if err := s.renders("option http-server-close", lines); err != nil {
			t.Error(err)
		}
		if told := strings.Contains(s.daemon.Output(), "server_close is on, each request costs a server connection") && strings.Contains(s.daemon.Output(), reason); told != pins {
			t.Errorf("the log says why: %t", told)
		}
		file, err := s.config.Write(s.home)
		if err != nil {
			t.Fatal(err)
		}
		if output := s.check(file).stdout; strings.Contains(output, "note: "+s.config.TemplateFile()+":13: "+reason) != pins {
			t.Errorf("check:\n%s", output)
		}
		s.exchangeAll(3)
	})
}
