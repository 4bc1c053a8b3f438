package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// gone waits until none of these processes of the daemon's folder runs.
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

// own asserts that exactly the workers of the pid file run, as many as there
// should be, and that they are the daemon's children.
func (s *stage) own(h rig.HAProxy) {
	s.t.Helper()
	want := s.pids()
	if len(want) != workers(h) {
		s.t.Errorf("workers %v", want)
	}
	slices.Sort(want)
	s.eventually("the daemon owns the workers and nobody else runs", func() error {
		running, err := s.daemon.Leftovers()
		if err != nil {
			return err
		}
		var pids []int
		for _, p := range running {
			pids = append(pids, p.PID)
			if p.PPID != s.daemon.PID() {
				return fmt.Errorf("%v is a child of %d", p, p.PPID)
			}
		}
		slices.Sort(pids)
		if !slices.Equal(pids, want) {
			return fmt.Errorf("%v run, want %v", running, want)
		}
		return nil
	})
}

// crash ends the daemon with SIGKILL.
func (s *stage) crash() {
	s.t.Helper()
	s.daemon.Kill()
	if code, _ := s.get("/healthz"); code != 0 {
		s.t.Errorf("a killed daemon answers %d", code)
	}
}

func TestCrashedDaemonTakesOver(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Template = patient(h) })
		a, b, load := s.both()
		s.eventually("all are used", func() error { return used(load, []*rig.App{a, b}) })
		registered := []*rig.App{a}
		for range 3 {
			old := s.pids()
			s.crash()
			// What happens while nobody looks is not lost.
			registered = append(registered, s.app(front))
			s.start()
			s.ready()
			s.gone(old)
			s.own(h)
			s.serves(front, registered...)
			s.serves(base, b)
			s.eventually("all are used", func() error { return used(load, registered) })
		}
		if err := s.counts(1, "haproxyzk_generations"); err != nil {
			t.Error(err)
		}
		s.lost(load)
		s.stopped()
	})
}

// patient is the seed's template for those who count every request: from 2.4 on
// HAProxy has to be told not to close idle connections when it leaves.
func patient(h rig.HAProxy) string {
	lines := "    timeout http-keep-alive 2s\n"
	if !h.Nbproc {
		lines += "    option idle-close-on-response\n"
	}
	return strings.Replace(rig.SeedTemplate, "defaults\n", "defaults\n"+lines, 1)
}

// TestTakeoverKeepsDiscoveredGroups without ZooKeeper, of whom the kept lists know
// nothing or less than the HAProxy that runs: they could not be written.
func TestTakeoverKeepsDiscoveredGroups(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
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
		s.settled() // the generation before does not know the group
		load := s.load(rig.Target{Path: "/", App: front}, rig.Target{Path: "/api/x", App: "api"})
		if err := z.Kill(); err != nil {
			t.Fatal(err)
		}
		for what, state := range map[string][]byte{"nothing": nil, "less": older} {
			s.crash()
			if err := os.WriteFile(s.stateFile(), state, 0o600); err != nil {
				t.Fatal(err)
			}
			old := s.pids()
			s.start()
			s.gone(old)
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
func TestCrashedDaemonTakesOverWhoStillDrains(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		slow := s.slow(a, 10*time.Second)
		first := s.pids()
		s.crash()
		s.start()
		s.ready()
		second := s.pids()
		s.crash()
		s.start()
		s.ready()
		s.gone(second)
		if err := s.counts(2, "haproxyzk_generations"); err != nil {
			t.Error(err)
		}
		if err := <-slow; err != nil {
			t.Errorf("a running request was cut: %v", err)
		}
		s.gone(first)
		s.own(h)
		s.stopped()
	})
}

// The daemon of the document that the project comes from starts HAProxy without
// `expose-fd listeners`: nobody can take its listeners, and HAProxy itself has
// to tell the old processes to go.
func TestTakeoverFromTheSeedsHAProxy(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.connect()
		a := s.app(front) // before the start, so that it stands in the file
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
		if said := s.daemon.Output(); !strings.Contains(said, "does not hand its listeners over") {
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
