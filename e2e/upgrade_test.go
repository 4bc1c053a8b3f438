package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// install replaces the executable like a package upgrade: the new file is written
// beside it and renamed.
func (s *stage) install(h rig.HAProxy) {
	s.t.Helper()
	aside := s.config.HAProxy + ".new"
	if err := os.WriteFile(aside, fmt.Appendf(nil, "#!/bin/sh\nexec %s \"$@\"\n", h.Path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(aside, s.config.HAProxy); err != nil {
		s.t.Fatal(err)
	}
}

// runs waits until a version has its number of workers, all of that version, and the
// previous workers have ended.
func (s *stage) runs(h rig.HAProxy, before []int) {
	s.t.Helper()
	s.gone(before)
	s.ready()
	s.only(h)
	s.eventually("the workers are of HAProxy "+h.Name, func() error {
		if err := s.current(); err != nil {
			return err
		}
		for _, socket := range s.config.Sockets() {
			info, err := rig.Stats(socket, "show info")
			if err != nil || !strings.Contains(info, "Version: "+h.Name) {
				return fmt.Errorf("behind %s: %w\n%s", socket, err, info)
			}
		}
		return nil
	})
}

// exchangeOf returns the HAProxy that replaces another one: with threads instead of
// processes as workers, or the reverse, if there is one.
func exchangeOf(h rig.HAProxy) rig.HAProxy {
	other := h
	for _, o := range shared.haproxies {
		if o.Nbproc != h.Nbproc {
			return o
		}
		if o.Name != h.Name {
			other = o
		}
	}
	return other
}

func TestHAProxyUpgradedInPlace(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, from rig.HAProxy) {
		to := exchangeOf(from)
		s := newStage(t, from, func(c *rig.SeedConfig) { c.Groups[0].MaxServer = 2 })
		s.config.HAProxy = filepath.Join(s.home, "haproxy-installed")
		s.install(from)
		s.connect()
		s.start()
		s.ready()
		a, _, load := s.both()
		apps := []*rig.App{a}

		before := s.pids()
		s.install(to)
		apps = append(apps, s.app(front), s.app(front)) // which needs more slots
		s.serves(front, apps...)
		s.runs(to, before)

		before = s.pids()
		s.install(from)
		s.signal(syscall.SIGUSR2)
		s.runs(from, before)
		s.serves(front, apps...)

		before = s.pids()
		if err := os.Remove(s.config.HAProxy); err != nil {
			t.Fatal(err)
		}
		s.signal(syscall.SIGUSR2)
		s.says("ask HAProxy for its version")
		apps = append(apps, s.app(front))
		s.serves(front, apps...)
		s.keepsPIDs(before)
		s.install(to)
		s.runs(to, before)
		s.serves(front, apps...)
		s.lost(load)

		before = s.pids()
		s.install(from)
		if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.runs(from, before)
		s.serves(front, apps...)
		load = s.load(through()...)
		s.eventually("all are used", func() error { return used(load, apps) })
		s.lost(load)
		s.stopped()
	})
}
