package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// pids reads HAProxy's pid file, which is missing while HAProxy starts.
func (s *stage) pids() []int {
	s.t.Helper()
	var pids []int
	s.eventually("the pid file", func() error {
		text, err := os.ReadFile(s.config.PIDFile())
		if err != nil {
			return err
		}
		pids = pids[:0]
		for word := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				return err
			}
			pids = append(pids, pid)
		}
		if len(pids) == 0 {
			return errors.New("no pid in it yet")
		}
		return nil
	})
	return pids
}

// replaced waits until none of the workers is in old, their number is right, and the
// daemon is ready.
func (s *stage) replaced(old []int) {
	s.t.Helper()
	s.eventually("the workers are replaced", func() error {
		now := s.pids()
		if len(now) != len(old) || now[0] == old[0] {
			return fmt.Errorf("workers %v, before %v", now, old)
		}
		for _, pid := range old {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("worker %d is still there: %w", pid, err)
			}
		}
		return nil
	})
	s.ready()
}

func TestKilledWorkerIsReplaced(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		if len(before) != workers(h) {
			t.Fatalf("workers %v", before)
		}
		if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.replaced(before)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		b := s.app(front)
		s.serves(front, a, b)
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })
		s.lost(load)
		s.stopped()
	})
}

// A dead worker is replaced within a second, and only its own connections are lost. A
// keep-alive client may lose its running request.
func TestKilledWorkerCostsItsOwnConnections(t *testing.T) {
	eachSet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		s.eventually("it is used", func() error { return used(load, []*rig.App{a}) })
		before := s.pids()
		reloads := s.metric("haproxyzk_reloads_total", `result="ok"`)
		begun := time.Now()
		if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.reaches(reloads+1, "haproxyzk_reloads_total", `result="ok"`)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the set was restored after %v", took)
		}
		s.replaced(before)
		// Ten clients of the load: their open connections, and with a single worker
		// those that arrived before it was replaced.
		result := load.Stop()
		if most := len(before); most > 1 && result.Failures > 10 {
			t.Errorf("more than what the worker had was lost:\n%s", result)
		}
		after := s.load(rig.Target{Path: "/", App: front})
		s.eventually("it is used", func() error { return used(after, []*rig.App{a}) })
		s.lost(after)
		s.reaches(1, "haproxyzk_worker_exits_total", `reason="died"`)
		s.stopped()
	})
}

// A worker may die before its first query. Its socket may still accept and then hang,
// which must not delay anything.
func TestWorkerKilledAtStartIsReplaced(t *testing.T) {
	bothKindsInTurn(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		for range 5 {
			before := s.pids()
			s.signal(syscall.SIGUSR2)
			var young []int
			s.eventually("another generation", func() error {
				condition, err := s.condition()
				if err == nil && (len(condition.Generations) == 0 || slices.Contains(before, condition.Generations[0].PIDs[0])) {
					err = fmt.Errorf("generations %v", condition.Generations)
				}
				if err == nil {
					young = condition.Generations[0].PIDs
				}
				return err
			})
			begun := time.Now()
			if err := syscall.Kill(young[len(young)-1], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			s.replaced(young)
			if took := time.Since(begun); took > 1500*time.Millisecond {
				t.Errorf("replaced after %v", took)
			}
		}
		s.stopped()
	})
}

// Each short-lived generation is replaced later than the one before; until then the
// proxy is not ready.
func TestRepeatedlyDyingWorkersAreReplacedWithBackoff(t *testing.T) {
	onBothKinds(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		const first, deaths = 100 * time.Millisecond, 5
		for n := range deaths {
			before := s.pids()
			begun := time.Now()
			for _, pid := range before {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			if n > 1 {
				s.eventually("not ready", func() error {
					condition, err := s.condition()
					if err == nil && condition.Problem != "worker died" {
						err = fmt.Errorf("problem %q", condition.Problem)
					}
					return err
				})
			}
			s.replaced(before)
			// Twice the last delay, ±50 %.
			if took, atLeast := time.Since(begun), first<<n/2; took < atLeast {
				t.Errorf("death %d: replaced after %v, not %v", n+1, took, atLeast)
			}
		}
		s.says("worker died, its connections were cut")
		load := s.load(rig.Target{Path: "/", App: front})
		s.eventually("it is used", func() error { return used(load, []*rig.App{a}) })
		s.lost(load)
		s.stopped()
	})
}

func TestHungWorkerIsReplaced(t *testing.T) {
	onBothKinds(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		// Its stats socket accepts and never answers.
		if err := syscall.Kill(before[0], syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		b := s.app(front)
		s.replaced(before)
		s.serves(front, a, b)
		load := s.load(rig.Target{Path: "/", App: front})
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })
		s.lost(load)
	})
}

// TestHeartbeatFindsHungWorker hangs a worker that gets no updates.
func TestHeartbeatFindsHungWorker(t *testing.T) {
	onBothKinds(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		began := time.Now()
		if err := syscall.Kill(before[0], syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		s.replaced(before)
		// The heartbeat interval of two seconds, its timeout of one, two deadlines, a
		// last query.
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("it was replaced after %v", took)
		}
		s.anew([]*rig.App{a}, rig.Target{Path: "/", App: front})
	})
}

// TestOccupiedStatsSocketsAreTolerated: monitoring, or an operator, may hold
// connections to a stats socket, which does not make the worker hung.
func TestOccupiedStatsSocketsAreTolerated(t *testing.T) {
	const held = 40 // of each; a hundred are allowed in total
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b, load := s.both()
		before := s.pids()
		for _, socket := range s.config.Sockets() {
			for range held {
				conn, err := net.Dial("unix", socket)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				// Silent clients are disconnected after ten seconds.
				if _, err := io.WriteString(conn, "prompt\nset timeout cli 60s\n"); err != nil {
					t.Fatalf("%s: %v", socket, err)
				}
			}
		}
		c := s.app(front)
		s.serves(front, a, c)
		s.serves(base, b)
		s.elapses(6 * time.Second) // a hung worker is replaced by then
		if err := c.Unregister(); err != nil {
			t.Fatal(err)
		}
		s.serves(front, a)
		if now := s.pids(); !slices.Equal(before, now) {
			t.Errorf("workers %v were replaced by %v", before, now)
		}
		s.lost(load)
	})
}
