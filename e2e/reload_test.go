package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// reloads is 10, and 50 with E2E_LONG.
func reloads() int {
	if os.Getenv("E2E_LONG") != "" {
		return 50
	}
	return 10
}

func TestReloadBySignalLosesNoRequest(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		_, _, load := s.both()
		for range reloads() {
			before := s.pids()
			s.signal(syscall.SIGUSR2)
			s.renewed(before)
		}
		if result := s.lost(load); result.Requests < 100*reloads() {
			t.Errorf("hardly a load:\n%s", result)
		}
		s.stopped()
	})
}

// A failed reload changes nothing, its error has HAProxy's message, and it is retried
// until it succeeds.
func TestFailedReloadIsRetried(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		s := newStage(t, h, nil)
		s.wrap(fmt.Sprintf(`case "$mode $1" in
"refused -c" | "refused -D") echo no-such-keyword >>"$3" ;;
"taken -D") printf 'listen taken\n    bind %s\n' >>"$3" ;;
"deaf -D") set -- -D -f "$3" -p "$5" -x $home/nobody ;;
"hangs -D") while grep -q hangs $home/mode; do sleep 0.1; done; exit 1 ;;
"elsewhere -D") sed -i 's|stats socket [^ ]*|&.elsewhere|' "$3" ;;
"dies -D") sed -i 's|^global|global\n    chroot /nowhere|' "$3" ;;
esac`, taken.Addr()))
		s.connect()
		s.start()
		s.ready()
		apps := []*rig.App{s.app(front)}
		s.serves(front, apps...)
		load := s.load(rig.Target{Path: "/", App: front}, rig.Target{Path: "/slow?ms=400", App: front})
		for _, tt := range []struct {
			mode, words string
			tries       float64
		}{
			{"refused", "no-such-keyword", 2},
			{"taken", "cannot bind socket", 2},
			{"deaf", "Failed to get the sockets", 2},
			{"dies", "Cannot chroot", 2},
			{"hangs", "did not finish in time", 1},
			{"elsewhere", "new workers answer on the stats sockets", 1}, // they serve until that is found
		} {
			before := s.pids()
			failed, done := s.metric("haproxyzk_reloads_total", `result="error"`), s.metric("haproxyzk_reloads_total", `result="ok"`)
			s.mode(tt.mode)
			s.signal(syscall.SIGUSR2)
			s.reaches(failed+tt.tries, "haproxyzk_reloads_total", `result="error"`)
			s.says(tt.words)
			if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, "the last reload (signal) did not succeed") {
				t.Errorf("the previous generation is not reported as serving: %d %s", code, body)
			}
			apps = append(apps, s.app(front))
			if tt.mode != "hangs" { // what registers during an attempt enters once that has ended
				s.serves(front, apps...)
			}
			s.keepsPIDs(before)
			s.mode("")
			s.reaches(done+1, "haproxyzk_reloads_total", `result="ok"`)
			s.renewed(before)
			s.serves(front, apps...)
		}
		s.lost(load)
		s.stopped()
	})
}

// Live changes are rendered for the next generation, concurrent changes are not lost,
// and a crashed instance is not revived.
func TestReloadKeepsLiveChanges(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, dead := s.app(front), s.app(front)
		s.serves(front, a, dead)
		if err := dead.Kill(); err != nil {
			t.Fatal(err)
		}
		s.served(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		apps := []*rig.App{a}
		for range reloads() / 2 {
			before := s.pids()
			s.signal(syscall.SIGUSR2)
			apps = append(apps, s.app(front)) // during the reload
			s.renewed(before)
			s.served(front, apps...)
			if len(apps) > 3 {
				if err := apps[1].Unregister(); err != nil {
					t.Fatal(err)
				}
				apps = append(apps[:1:1], apps[2:]...)
			}
		}
		s.served(front, apps...)
		s.lost(load)
		s.stopped()
	})
}

// After a reload its old workers cannot be changed any more, and their keep-alive
// clients send one more request each: an instance that leaves while HAProxy starts must
// be removed from the serving workers. The new workers, rendered with it, accept
// connections some milliseconds before they are updated: redispatch covers that.
func TestInstanceLeavingDuringReloadLosesNoRequest(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) {
			c.Template = strings.Replace(rig.SeedTemplate, "defaults\n", "defaults\n    option redispatch\n", 1)
		})
		s.wrap(`if [ "$mode $1" = "waits -D" ]; then
    : >$home/waiting
    while [ -e $home/waiting ]; do sleep 0.02; done
fi`)
		s.connect()
		s.start()
		s.ready()
		apps := []*rig.App{s.app(front), s.app(front), s.app(front)}
		s.serves(front, apps...)
		load := s.load(rig.Target{Path: "/", App: front})
		for len(apps) > 1 {
			s.mode("waits")
			before := s.pids()
			s.signal(syscall.SIGUSR2)
			waiting := filepath.Join(s.home, "waiting")
			s.eventually("HAProxy starts", func() error {
				_, err := os.Stat(waiting)
				return err
			})
			left := apps[0]
			apps = apps[1:]
			if err := left.Unregister(); err != nil {
				t.Fatal(err)
			}
			s.served(front, apps...)
			if _, err := os.Stat(waiting); err != nil || s.metric("haproxyzk_reloads_total", `result="error"`) > 0 {
				t.Errorf("it left only after the reload: %v", err)
			}
			if err := errors.Join(left.Quiet(t.Context(), 100*time.Millisecond), left.Stop()); err != nil {
				t.Fatal(err)
			}
			s.mode("")
			if err := os.Remove(waiting); err != nil {
				t.Fatal(err)
			}
			s.renewed(before)
		}
		s.serves(front, apps...)
		s.lost(load)
		s.stopped()
	})
}

// served waits until exactly these instances take traffic in every worker, whatever
// else is registered.
func (s *stage) served(group string, apps ...*rig.App) {
	s.t.Helper()
	s.eventually("group "+group, func() error { return s.compareWorkers(group, apps...) })
}

// Old generations are tracked by pid, and ended in time.
func TestHardStopEndsAReplacedGeneration(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"hard_stop_after": "2s"} })
		a := s.app(front)
		s.serves(front, a)
		slow := s.slow(a, time.Minute)
		before := s.pids()
		s.signal(syscall.SIGUSR2)
		s.eventually("two generations", func() error { return s.generations(2) })
		begun := time.Now()
		if err := <-slow; err == nil {
			t.Error("a request of a minute was answered")
		}
		if took := time.Since(begun); took > 4*time.Second {
			t.Errorf("it was cut after %v", took)
		}
		s.ended(before)
		s.settled()
		s.reaches(1, "haproxyzk_worker_exits_total", `reason="killed"`)
		s.stopped()
	})
}

// generations returns nil if the metrics and /readyz report this many.
func (s *stage) generations(want int) error {
	n := s.metric("haproxyzk_generations")
	condition, err := s.condition()
	if err != nil {
		return err
	}
	if int(n) != want || len(condition.Generations) != want {
		return fmt.Errorf("%v generations in the metrics, %v in /readyz", n, condition.Generations)
	}
	for i, g := range condition.Generations {
		if g.Draining != (i > 0) || len(g.PIDs) == 0 || g.Since.IsZero() {
			return fmt.Errorf("generation %d is %+v", i, g)
		}
	}
	return nil
}

// settled waits until the workers replaced by a reload have ended.
func (s *stage) settled() {
	s.t.Helper()
	s.eventually("one generation", func() error { return s.generations(1) })
}

// A silent client keeps its generation alive. Eight of them delay the next reload,
// unless it replaces a worker.
func TestDrainingGenerationsDelayReloads(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		var clients []net.Conn
		defer func() {
			for _, client := range clients {
				client.Close()
			}
		}()
		for n := range 8 {
			s.eventually("a worker that serves has a client", func() error {
				if s.accepted() == nil {
					return nil
				}
				client, err := net.Dial("tcp", s.config.Listener())
				if err != nil {
					return err
				}
				clients = append(clients, client)
				return rig.Eventually(t.Context(), time.Second, s.accepted)
			})
			s.signal(syscall.SIGUSR2)
			s.eventually("another generation", func() error { return s.generations(n + 2) })
		}
		before := s.pids()
		s.signal(syscall.SIGUSR2)
		s.says("delaying the next reload")
		s.keepsPIDs(before)
		if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.eventually("the worker is replaced all the same", func() error {
			if now := s.pids(); now[0] == before[0] {
				return errors.New("not yet")
			}
			return nil
		})
		s.ready()

		before = s.pids()
		s.signal(syscall.SIGUSR2)
		for _, client := range clients {
			client.Close()
		}
		s.eventually("it continues once old generations have ended", func() error {
			if now := s.pids(); now[0] == before[0] {
				return errors.New("not yet")
			}
			return nil
		})
		s.settled()
		s.stopped()
	})
}

// accepted returns nil if a worker of the pid file has a client. Earlier workers may
// still listen on the same sockets for some milliseconds.
func (s *stage) accepted() error {
	serving := s.pids()
	for _, socket := range s.config.Sockets() {
		pid, clients, err := rig.Info(socket)
		if err != nil {
			return err
		}
		if slices.Contains(serving, pid) && clients > 0 {
			return nil
		}
	}
	return errors.New("no worker has a client")
}
