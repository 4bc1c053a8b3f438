package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// find returns the server of a group with an instance's address, from the worker behind
// a socket.
func (s *stage) find(socket, group string, a *rig.App) (rig.Server, error) {
	return rig.FindServer(socket, group, a.Addr())
}

// operate changes an instance's server on one worker only, like an operator; worker 0
// is the first.
func (s *stage) operate(worker int, group string, a *rig.App, what string) {
	s.t.Helper()
	socket := s.config.Sockets()[worker]
	server, err := s.find(socket, group, a)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := rig.Stats(socket, "set server "+group+"/"+server.Name+" "+what)
	if err != nil || strings.TrimSpace(answer) != "" {
		s.t.Fatalf("%s: %q %v", what, answer, err)
	}
}

// operated returns nil if every worker has an instance's server in this state (ready,
// drain or maint) and with this weight.
func (s *stage) operated(group string, a *rig.App, state string, weight int) error {
	for _, socket := range s.config.Sockets() {
		server, err := s.find(socket, group, a)
		if err != nil {
			return err
		}
		got := "ready"
		switch {
		case server.AdminState&1 != 0:
			got = "maint"
		case server.AdminState&8 != 0:
			got = "drain"
		}
		if got != state || server.Weight != weight {
			return fmt.Errorf("%s is %s with weight %d behind %s, want %s with %d", server.Name, got, server.Weight, socket, state, weight)
		}
	}
	return nil
}

// reportsOverride returns nil if the API reports this override of an instance; empty
// means none.
func (s *stage) reportsOverride(a *rig.App, text string) error {
	_, body := s.get("/readyz")
	if got := strings.Contains(body, `"`+a.Addr()+`":"`+text+`"`); !got && text != "" {
		return fmt.Errorf("no %s %s in %s", a.Addr(), text, body)
	}
	if text == "" && strings.Contains(body, `"`+a.Addr()+`":`) {
		return fmt.Errorf("%s is in %s", a.Addr(), body)
	}
	return nil
}

// reload waits for another generation; before its launch the state of every worker is
// read.
func (s *stage) reload() {
	s.t.Helper()
	done := s.metric("haproxyzk_reloads_total", `result="ok"`)
	s.signal(syscall.SIGUSR2)
	s.reaches(done+1, "haproxyzk_reloads_total", `result="ok"`)
	s.ready()
}

// HAProxy's own changes are not overrides: on-error marks a server down without a health
// check, slowstart ramps the weight of one that came up.
func TestOnErrorAndSlowstartAreNotOperatorOverrides(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups[0].HTTPChk = ""
			c.Groups[0].ServerTemplate = "${group_name} 1-${max_server} ${ip_port} check inter 300 fall 1000 observe layer4 error-limit 1 on-error mark-down slowstart 20s disabled"
		})
		a, dead := s.app(front), s.app(front)
		load := s.load(rig.Target{Path: "/", App: front})
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, dead}) })
		if err := dead.Kill(); err != nil {
			t.Fatal(err)
		}
		s.eventually("on-error marks it down", func() error {
			if up := s.metric("haproxyzk_instances_up", `group="`+front+`"`); up != 1 {
				return fmt.Errorf("%v instances are up", up)
			}
			return nil
		})
		ramping := s.app(front)
		s.eventually("the third enters", func() error { return s.operated(front, ramping, "ready", 1) })
		// What an operator does now is found by a later read of the servers than that.
		s.operate(0, front, a, "weight 50")
		s.eventually("the operator's weight", func() error {
			return errors.Join(s.reportsOverride(a, "weight 50"), s.operated(front, ramping, "ready", 1))
		})
		for _, other := range []*rig.App{dead, ramping} {
			if err := s.reportsOverride(other, ""); err != nil {
				t.Error(err)
			}
		}
		for _, fields := range s.logged("server state was changed outside haproxy-zk, applying it to all workers") {
			if fields["instance"] != nil && fields["instance"] != a.Addr() {
				t.Errorf("the log says %v", fields)
			}
		}
		load.Stop()
		s.stopped()
	})
}

func TestOperatorOverridesReachAllWorkersAndLast(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Template = patient(h) })
		a, b := s.apps(4, front), s.app(base)
		s.serves(front, a...)
		s.serves(base, b)
		load := s.load(through()...)
		s.operate(0, front, a[0], "state drain")
		s.operate(1, front, a[1], "state maint")
		s.operate(0, front, a[2], "weight 10")
		as := func(what string) {
			t.Helper()
			s.eventually(what, func() error {
				return errors.Join(
					s.operated(front, a[0], "drain", 1), s.operated(front, a[1], "maint", 1),
					s.operated(front, a[2], "ready", 10), s.operated(front, a[3], "ready", 1),
					s.reportsOverride(a[0], "drain"), s.reportsOverride(a[1], "maint"), s.reportsOverride(a[2], "weight 10"), s.reportsOverride(a[3], ""))
			})
		}
		s.reload()
		as("after a reload")
		more := s.app(front)
		s.eventually("a batch", func() error { return s.operated(front, more, "ready", 1) })
		as("after a batch")
		for range 2 {
			s.crash()
			s.start()
			s.ready()
			as("after a takeover")
		}
		// A change on one worker just before the daemon was killed is not lost.
		s.operate(1, front, a[3], "state drain")
		s.crash()
		s.start()
		s.ready()
		s.eventually("after a takeover", func() error {
			return errors.Join(s.operated(front, a[3], "drain", 1), s.reportsOverride(a[3], "drain"))
		})

		s.operate(1, front, a[0], "state ready")
		s.operate(0, front, a[1], "state ready")
		s.operate(0, front, a[3], "state ready")
		s.operate(1, front, a[2], "weight 100%")
		s.reload()
		s.serves(front, append(a, more)...)
		s.eventually("nothing is left of it", func() error {
			var problems []error
			for _, app := range a {
				problems = append(problems, s.operated(front, app, "ready", 1), s.reportsOverride(app, ""))
			}
			return errors.Join(problems...)
		})
		if err := s.counts(0, "haproxyzk_drift_repaired_total"); err != nil {
			t.Errorf("something was taken for drift: %v", err)
		}
		s.anew(append(a, more), rig.Target{Path: "/", App: front})
		s.lost(load)
		s.stopped()
	})
}

func TestNewRegistrationInheritsNothingFromAnOperator(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Template = patient(h) })
		a := s.apps(3, front)
		s.serves(front, a...)
		load := s.load(rig.Target{Path: "/", App: front})
		leave := func(app *rig.App) {
			if err := app.Unregister(); err != nil {
				t.Fatal(err)
			}
		}
		s.operate(0, front, a[0], "state maint")
		s.operate(0, front, a[1], "weight 10")
		s.reload()
		s.eventually("all workers follow", func() error {
			return errors.Join(s.operated(front, a[0], "maint", 1), s.operated(front, a[1], "ready", 10))
		})
		leave(a[0])
		leave(a[1])
		s.serves(front, a[2])
		s.again(front, a[:2]...)
		s.serves(front, a...)
		for _, app := range a {
			if err := errors.Join(s.operated(front, app, "ready", 1), s.reportsOverride(app, "")); err != nil {
				t.Error(err)
			}
		}

		// Departed instances were taken out by us. One that registers again without a
		// daemon was not taken out by an operator.
		leave(a[0])
		s.serves(front, a[1:]...)
		s.crash()
		s.again(front, a[0])
		s.start()
		s.ready()
		s.serves(front, a...)
		s.anew(a, rig.Target{Path: "/", App: front})
		s.lost(load)
	})
}

// Any worker may answer a request for the stats page.
func TestStatsPageOfOneWorkerReachesAll(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Template = patient(h) })
		a := s.apps(2, front)
		s.serves(front, a...)
		load := s.load(rig.Target{Path: "/", App: front})
		act := func(action string) {
			t.Helper()
			// A worker that is ending may still accept, but takes no changes any more.
			s.settled()
			server, err := s.find(s.config.Sockets()[0], front, a[0])
			if err != nil {
				t.Fatal(err)
			}
			page := fmt.Sprintf("http://admin:admin@127.0.0.1:%d/ha-stats", s.config.AdminPort)
			client := http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			defer client.CloseIdleConnections()
			response, err := client.PostForm(page, url.Values{"s": {server.Name}, "action": {action}, "b": {front}})
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if place := response.Header.Get("Location"); !strings.Contains(place, "st=DONE") {
				t.Fatalf("%s: %s %q", action, response.Status, place)
			}
		}
		act("drain")
		s.reload()
		s.eventually("all workers follow", func() error {
			return errors.Join(s.operated(front, a[0], "drain", 1), s.reportsOverride(a[0], "drain"))
		})
		act("ready")
		s.reload()
		s.serves(front, a...)
		s.lost(load)
	})
}

// A change on one worker of an ordinary proxy reaches all within 2 seconds.
func TestResync(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b := s.apps(3, front), s.app(base)
		s.serves(front, a...)
		s.serves(base, b)
		load := s.load(rig.Target{Path: "/basecentre/x", App: base})
		stranger := s.unregistered(front)
		host, port, _ := strings.Cut(stranger.Addr(), ":")
		s.operate(1, front, a[0], "state drain")
		socket := s.config.Sockets()[0]
		wrong, err := s.find(socket, front, a[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{
			"set server " + front + "/" + wrong.Name + " addr " + host + " port " + port,
			"set server " + front + "/" + front + "9 addr " + host + " port " + port,
			"set server " + front + "/" + front + "9 state ready",
		} {
			if answer, err := rig.Stats(socket, command); err != nil || strings.Contains(answer, "No such") {
				t.Fatalf("%s: %q %v", command, answer, err)
			}
		}
		soon := func(what string, is func() error) {
			t.Helper()
			began := time.Now()
			s.eventually(what, is)
			took := time.Since(began)
			t.Logf("%s after %s", what, took)
			if took > 2*time.Second {
				t.Errorf("%s after %s", what, took)
			}
		}
		soon("the workers follow the operator and drift is repaired", func() error {
			return errors.Join(s.operated(front, a[0], "drain", 1), s.reportsOverride(a[0], "drain"), s.compareWorkers(front, a[1:]...))
		})
		if err := s.counts(2, "haproxyzk_drift_repaired_total"); err != nil {
			t.Error(err)
		}
		at := stranger.Served("/")
		s.anew(a[1:], rig.Target{Path: "/", App: front})
		if stranger.Served("/") > at {
			t.Error("a server that is not registered still gets requests")
		}
		s.operate(1, front, a[0], "state ready")
		soon("the operator ends it", func() error {
			return errors.Join(s.operated(front, a[0], "ready", 1), s.reportsOverride(a[0], ""))
		})
		s.lost(load)
	})
}
