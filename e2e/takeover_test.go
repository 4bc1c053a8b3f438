package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// gone waits until none of these processes of the daemon is running.
func (s *stage) gone(pids []int) {
	s.t.Helper()
	s.eventually("the old workers end", func() error {
		running, err := s.daemon.Leftovers()
		if err != nil {
			return err
		}
		for _, p := range running {
			if slices.Contains(pids, p.PID) {
				return fmt.Errorf("%v is still there", p)
			}
		}
		return nil
	})
}

// only asserts that exactly the workers in the pid file are running, in the right
// number.
func (s *stage) only(h rig.HAProxy) {
	s.t.Helper()
	s.runsOnly(h, func(rig.Process) error { return nil })
}

// own is only for workers that are the daemon's children, which adopted ones are not.
func (s *stage) own(h rig.HAProxy) {
	s.t.Helper()
	s.runsOnly(h, func(p rig.Process) error {
		if p.PPID != s.daemon.PID() {
			return fmt.Errorf("%v is a child of %d", p, p.PPID)
		}
		return nil
	})
}

func (s *stage) runsOnly(h rig.HAProxy, check func(rig.Process) error) {
	s.t.Helper()
	want := s.pids()
	if len(want) != workers(h) {
		s.t.Errorf("workers %v", want)
	}
	slices.Sort(want)
	s.eventually("only the workers are running", func() error {
		running, err := s.daemon.Leftovers()
		if err != nil {
			return err
		}
		var pids []int
		for _, p := range running {
			pids = append(pids, p.PID)
			if err := check(p); err != nil {
				return err
			}
		}
		slices.Sort(pids)
		if !slices.Equal(pids, want) {
			return fmt.Errorf("%v run, want %v", running, want)
		}
		return nil
	})
}

// adopts waits until the daemon has adopted these workers, and fails the test if it has
// started any.
func (s *stage) adopts(pids []int) {
	s.t.Helper()
	s.says("adopted the running HAProxy")
	s.ready()
	if now := s.pids(); !slices.Equal(now, pids) {
		s.t.Errorf("workers %v, before %v", now, pids)
	}
	if err := s.counts(0, "haproxyzk_reloads_total"); err != nil {
		s.t.Error(err)
	}
}

// crash kills the daemon with SIGKILL.
func (s *stage) crash() {
	s.t.Helper()
	s.daemon.Kill()
	if code, _ := s.get("/healthz"); code != 0 {
		s.t.Errorf("a killed daemon answers %d", code)
	}
}

// If only registrations have changed, HAProxy is not reloaded.
func TestCrashedDaemonTakesOver(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b, load := s.both()
		s.eventually("all are used", func() error { return used(load, []*rig.App{a, b}) })
		registered := []*rig.App{a}
		workers := s.pids()
		for range 3 {
			s.crash()
			// Changes without a daemon are not lost.
			gone := registered[0]
			registered = append(registered[1:], s.app(front), s.app(front))
			if err := gone.Unregister(); err != nil {
				t.Fatal(err)
			}
			s.start()
			s.adopts(workers)
			s.only(h)
			s.serves(front, registered...)
			s.serves(base, b)
			s.eventually("all are used", func() error { return used(load, registered) })
		}
		if err := s.counts(1, "haproxyzk_generations"); err != nil {
			t.Error(err)
		}
		s.anew(registered, rig.Target{Path: "/", App: front})
		// An adopted generation is reloaded like any other.
		s.signal(syscall.SIGUSR2)
		s.renewed(workers)
		s.own(h)
		s.serves(front, registered...)
		s.lost(load)
		s.stopped()
	})
}

// Adopted workers are not children of the daemon: it still stops them, and replaces one
// that dies.
func TestAdoptedHAProxyIsSupervised(t *testing.T) {
	onBothKinds(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		s.crash()
		s.start()
		before := s.pids()
		s.adopts(before)
		if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.replaced(before)
		s.own(h)
		s.crash()
		s.start()
		s.adopts(s.pids())
		s.stopped()
	})
}

// If the running HAProxy differs from what would be started, the takeover is a reload.
func TestRestartAfterCrashReloadsChangedConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*stage)
		why    string
	}{
		{"the configuration", func(s *stage) { s.config.Groups[0].Balance = "leastconn" }, "the configuration has changed"},
		{"the number of slots", func(s *stage) { s.config.Groups[1].MaxServer = 40 }, ""},
		{"the executable", func(s *stage) {
			aside := s.home + "/other"
			if err := os.WriteFile(aside, fmt.Appendf(nil, "#!/bin/sh\nexec %s \"$@\"\n", s.config.HAProxy), 0o700); err != nil {
				s.t.Fatal(err)
			}
			s.config.HAProxy = aside
		}, "has changed"},
		{"a worker", func(s *stage) {
			pid := s.pids()[0]
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				s.t.Fatal(err)
			}
			s.t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
		}, ""},
		{"the record of the generation", func(s *stage) {
			if err := os.Remove(s.config.PIDFile() + ".generation"); err != nil {
				s.t.Fatal(err)
			}
		}, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEverySet(t, func(t *testing.T, h rig.HAProxy) {
				s := begin(t, h, func(c *rig.SeedConfig) { c.Template = patient(h) })
				a, b, load := s.both()
				s.eventually("all are used", func() error { return used(load, []*rig.App{a, b}) })
				old := s.pids()
				s.crash()
				hangs := tt.name == "a worker"
				if hangs {
					load.Stop() // its clients get no answer
				}
				tt.change(s)
				c := s.app(front)
				s.start()
				if !hangs {
					s.gone(old)
				}
				s.ready()
				if now := s.pids(); slices.Contains(now, old[0]) {
					t.Errorf("workers %v, before %v", now, old)
				}
				if tt.why != "" {
					s.says(tt.why)
				}
				s.serves(front, a, c)
				s.serves(base, b)
				if !hangs {
					s.lost(load)
				}
			})
		})
	}
}

// If a worker died without a daemon, its generation is replaced.
func TestRestartAfterCrashReplacesDeadWorker(t *testing.T) {
	onBothKinds(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		old := s.pids()
		s.crash()
		if err := syscall.Kill(old[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.start()
		s.ready()
		s.gone(old)
		s.own(h)
		s.serves(front, a)
		s.anew([]*rig.App{a}, rig.Target{Path: "/", App: front})
		s.stopped()
	})
}

// patient returns the seed's template for clients that count every request: from 2.4 on
// HAProxy has to be configured not to close idle connections when it ends.
func patient(h rig.HAProxy) string {
	lines := "    timeout http-keep-alive 2s\n"
	if !h.Nbproc {
		lines += "    option idle-close-on-response\n"
	}
	return strings.Replace(rig.SeedTemplate, "defaults\n", "defaults\n"+lines, 1)
}

// TestTakeoverKeepsDiscoveredGroups starts without ZooKeeper, with a cache that knows
// less than the running HAProxy, or nothing.
func TestTakeoverKeepsDiscoveredGroups(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		z := ownZooKeeper(t, rig.ZooKeeperOptions{})
		s := begin(t, h, func(c *rig.SeedConfig) {
			discovering(c)
			c.ZKAddr, c.Template = z.Addr(), patient(h)
		})
		a := s.app(front)
		s.serves(front, a)
		s.keeps(a)
		older, err := os.ReadFile(s.stateFile())
		if err != nil {
			t.Fatal(err)
		}
		b := s.app("api")
		s.serves("api", b)
		s.settled() // the previous generation does not know the group
		load := s.load(rig.Target{Path: "/", App: front}, rig.Target{Path: "/api/x", App: "api"})
		if err := z.Kill(); err != nil {
			t.Fatal(err)
		}
		for what, state := range map[string][]byte{"nothing": nil, "less": older} {
			s.crash()
			if err := os.WriteFile(s.stateFile(), state, 0o600); err != nil {
				t.Fatal(err)
			}
			s.start()
			s.says("adopted the running HAProxy")
			if err := s.answers("/api/x", b); err != nil {
				t.Errorf("kept %s: %v", what, err)
			}
		}
		if err := z.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.ready()
		s.serves("api", b)
		s.lost(load)
	})
}

// The workers of a generation that still drains are in no pid file.
func TestTakeoverFindsDrainingGenerations(t *testing.T) {
	onBothKinds(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		slow := s.slow(a, 10*time.Second)
		first := s.pids()
		s.signal(syscall.SIGUSR2)
		s.eventually("another generation", func() error { return s.counts(2, "haproxyzk_generations") })
		second := s.pids()
		for range 2 {
			s.crash()
			s.start()
			s.adopts(second)
			if err := s.counts(2, "haproxyzk_generations"); err != nil {
				t.Error(err)
			}
		}
		if err := <-slow; err != nil {
			t.Errorf("a running request was cut: %v", err)
		}
		s.gone(first)
		s.only(h)
		s.stopped()
	})
}

// The daemon of the seed document starts HAProxy without `expose-fd listeners`: its
// listeners cannot be taken over, and HAProxy itself has to signal the old processes.
func TestTakeoverFromTheSeedsHAProxy(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.connect()
		a := s.app(front) // before the start, so that it is in the file
		s.start()
		s.ready()
		s.serves(front, a)
		rendered, err := os.ReadFile(s.config.ConfFile())
		if err != nil {
			t.Fatal(err)
		}
		s.stopped()

		text := strings.ReplaceAll(string(rendered), " expose-fd listeners", "")
		if text == string(rendered) {
			t.Fatalf("nothing to take out of\n%s", rendered)
		}
		if err := os.WriteFile(s.config.ConfFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if output, err := exec.CommandContext(t.Context(), s.home+"/sbin/haproxy", "-D", "-f", s.config.ConfFile(), "-p", s.config.PIDFile()).CombinedOutput(); err != nil {
			t.Fatalf("start the seed's HAProxy: %v\n%s", err, output)
		}
		old := s.pids()
		if len(old) != workers(h) {
			t.Fatalf("workers %v", old)
		}
		load := s.load(rig.Target{Path: "/", App: front})
		s.eventually("it serves", func() error { return used(load, []*rig.App{a}) })
		if result := load.Stop(); result.Failures > 0 {
			t.Fatalf("before the takeover:\n%s", result)
		}

		s.start()
		s.ready()
		s.gone(old)
		s.own(h)
		if said := s.daemon.Output(); !strings.Contains(said, "does not hand over its listeners") {
			t.Errorf("it does not say how it took over:\n%s", said)
		}
		load = s.load(rig.Target{Path: "/", App: front})
		b := s.app(front)
		s.serves(front, a, b)
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })
		s.lost(load)
		s.stopped()
	})
}
