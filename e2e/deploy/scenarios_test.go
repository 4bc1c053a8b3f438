//go:build deploy

package deploy

import (
	"fmt"
	"syscall"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	// outlasts is longer than the checks of keepalived and exabgp need.
	outlasts = 8 * time.Second
	// patience is how long a client waits for an answer.
	patience = 3 * time.Second
	// move bounds for how long requests are lost on connections that are open when the
	// address moves, which break.
	move = patience + time.Second
	// clients is how many there are, and rate how many requests they make per second.
	clients, rate = 50, 100
	// detected bounds it for a failure that is noticed late, on a busy machine.
	detected = patience + 10*time.Second
)

// scenario is a failure of a host that serves, under load. It is over when the service's
// address leads to the other host alone.
type scenario struct {
	name string
	act  func(*host)
	// noticed means that the address leaves while HAProxy serves on: nothing breaks but
	// connections that are open at that moment.
	noticed bool
	// teeth means that connections must be refused: it shows what its neighbor is for.
	teeth bool
	// stopDelay is that of both hosts.
	stopDelay time.Duration
	// after is called before the host's haproxy-zk is started again; nil is nothing.
	after func(*host)
}

func (s *site) scenarios() []scenario {
	link := func(state string) func(*host) {
		return func(h *host) { must(h.t, s.router.IP("link", "set", h.link, state)) }
	}
	term := func(h *host) { h.signal(syscall.SIGTERM) }
	return []scenario{
		{name: "SIGTERM without stop_delay", act: term, teeth: true, after: (*host).exits},
		{name: "SIGTERM", act: term, noticed: true, stopDelay: outlasts, after: (*host).exits},
		{name: "haproxy-zk killed, HAProxy serves on", act: func(h *host) { h.daemon.Kill() }, noticed: true, stopDelay: outlasts},
		{name: "haproxy-zk and HAProxy killed", act: func(h *host) { h.daemon.Kill(); h.killHAProxy() }, stopDelay: outlasts},
		{name: "HAProxy killed, and it cannot be started", act: func(h *host) { h.script("exit 1"); h.killHAProxy() }, stopDelay: outlasts},
		{name: "the host's link is cut", act: link("down"), stopDelay: outlasts, after: link("up")},
	}
}

// loses runs all scenarios one after the other.
func (s *site) loses() {
	s.t.Helper()
	all := s.scenarios()
	delay := all[0].stopDelay
	for _, h := range s.hosts {
		s.start(h, delay)
	}
	for _, c := range all {
		if c.stopDelay != delay {
			delay = c.stopDelay
			for _, h := range s.hosts {
				s.restart(h, delay)
			}
		}
		gone, r, lost := s.fails(c.act)
		s.t.Logf("%s: of %d requests %d were lost within %s, %d of them refused", c.name, r.Requests, r.Failures, lost.lasted().Round(10*time.Millisecond), lost.refused)
		within := detected
		if c.noticed {
			within = move
		}
		if lost.lasted() > within || c.noticed && lost.refused > 0 {
			s.t.Errorf("%s: %s", c.name, r)
		}
		if c.teeth && lost.refused == 0 {
			s.t.Errorf("%s: no connection was refused, so this test does not show what stop_delay is for", c.name)
		}
		if c.after != nil {
			c.after(gone)
		}
		s.restart(gone, delay)
	}
	s.returns(delay)
}

// fails lets one of the hosts that serve fail under load, and returns it.
func (s *site) fails(act func(*host)) (gone *host, r rig.Result, lost *failures) {
	s.t.Helper()
	eventually(s.t, "both hosts take part", s.settled)
	serving, err := s.serving()
	must(s.t, err)
	gone = serving[0]
	r, lost = s.underLoad(rig.LoadOptions{Fresh: clients}, func() {
		act(gone)
		s.without(gone)
	})
	return gone, r, lost
}

// returns measures what a host that is ready again costs clients that keep their
// connections to the other one.
func (s *site) returns(delay time.Duration) {
	s.t.Helper()
	eventually(s.t, "both hosts take part", s.settled)
	serving, err := s.serving()
	must(s.t, err)
	gone := serving[0]
	gone.daemon.Kill()
	s.without(gone)
	r, lost := s.underLoad(rig.LoadOptions{KeepAlive: clients}, func() {
		s.restart(gone, delay)
		eventually(s.t, "both hosts take part again", s.settled)
	})
	s.t.Logf("a host returns: %d of %d kept connections broke, %d requests were refused", r.Failures, clients, lost.refused)
	if r.Failures > clients || lost.refused > 0 {
		s.t.Errorf("a host returns: %s", r)
	}
}

// without waits until the service's address leads to the other host alone.
func (s *site) without(gone *host) {
	s.t.Helper()
	eventually(s.t, "the address leads to the other host alone", func() error {
		serving, err := s.serving()
		if err != nil || len(serving) != 1 || serving[0] == gone {
			return fmt.Errorf("it leads to %v, %w", serving, err)
		}
		return nil
	})
}

// underLoad calls act while clients of this kind make requests.
func (s *site) underLoad(o rig.LoadOptions, act func()) (rig.Result, *failures) {
	s.t.Helper()
	lost := new(failures)
	o.Addr, o.Dial, o.Targets, o.Failed = s.service, s.client.Dial, []rig.Target{target()}, lost.add
	o.Rate, o.Timeout, o.MaxTime = rate/clients, patience, 2*time.Minute
	load, err := rig.NewLoad(o)
	must(s.t, err)
	load.Start(s.t.Context())
	defer load.Stop()
	more(s.t, load, rate)
	act()
	more(s.t, load, 3*rate)
	return load.Stop(), lost
}
