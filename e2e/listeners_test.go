package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// newcomers are clients that open a connection for each request, and the moments at which
// HAProxy was killed or stopped meanwhile.
type newcomers struct {
	*stage
	load *rig.Load

	mu     sync.Mutex
	failed []rig.Failure
	halts  []time.Time
}

func (s *stage) newcomers() *newcomers {
	s.t.Helper()
	n := &newcomers{stage: s}
	load, err := rig.NewLoad(rig.LoadOptions{
		Addr: s.config.Listener(), Targets: []rig.Target{{Path: "/", App: front}}, Fresh: 10, Timeout: 30 * time.Second, MaxTime: 10 * time.Minute,
		Failed: func(f rig.Failure) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.failed = append(n.failed, f)
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	n.load = load
	load.Start(s.t.Context())
	s.t.Cleanup(func() { load.Stop() })
	return n
}

// halt sends SIGKILL or SIGSTOP to processes and waits until none of them runs.
func (n *newcomers) halt(sig syscall.Signal, pids ...int) {
	n.t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil {
			n.t.Fatal(err)
		}
	}
	for _, pid := range pids {
		n.eventually("the process is halted", func() error {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if _, state, found := strings.Cut(string(stat), ") "); err == nil && found && !strings.ContainsAny(state[:1], "TZX") {
				return fmt.Errorf("process %d: %s", pid, state[:1])
			}
			return nil
		})
	}
	n.halts = append(n.halts, time.Now())
}

// end ends the load. It fails the test if a connection was refused, or a request was lost
// that HAProxy did not have when it was halted.
func (n *newcomers) end() rig.Result {
	n.t.Helper()
	n.eventually("a load", func() error {
		if made := n.load.Result().Requests; made < 100 {
			return fmt.Errorf("%d requests", made)
		}
		return nil
	})
	result := n.load.Stop()
	for _, f := range n.failed {
		had := false
		for _, at := range n.halts {
			had = had || f.At.Before(at) && f.Ended.After(at.Add(-time.Second))
		}
		if !had || errors.Is(f.Err, syscall.ECONNREFUSED) {
			n.t.Errorf("lost at %s, HAProxy was halted at %v: %v", f.At.Format(time.StampMilli), n.halts, f.Err)
		}
	}
	return result
}

// crashes is 3, and 20 with E2E_LONG.
func crashes() int {
	if os.Getenv("E2E_LONG") != "" {
		return 20
	}
	return 3
}

// When every process of HAProxy is killed at once, new connections wait for the
// replacement.
func TestCrashRefusesNoConnection(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		s.serves(front, s.app(front))
		clients := s.newcomers()
		for n := range crashes() {
			s.holds()
			if n > 2 {
				s.elapses(10 * time.Second) // else the replacement is delayed beyond the hold
			}
			before := s.pids()
			clients.halt(syscall.SIGKILL, before...)
			s.replaced(before)
		}
		result := clients.end()
		t.Logf("%d crashes: %d requests, %d lost, slowest %v", len(clients.halts), result.Requests, result.Failures, result.MaxLatency)
		s.stopped()
	})
}

// holds waits until the listening sockets of the serving generation are kept.
func (s *stage) holds() {
	s.t.Helper()
	s.reaches(1, "haproxyzk_listeners_held")
}

// A process that hangs keeps what it has accepted. New connections wait until it is
// replaced, since the replacement listens on the same sockets.
func TestHungProcessRefusesNoConnection(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		s.holds()
		clients := s.newcomers()
		before := s.pids()
		clients.halt(syscall.SIGSTOP, before...)
		s.replaced(before)
		s.anew([]*rig.App{a}, rig.Target{Path: "/", App: front})
		clients.end()
		s.stopped()
	})
}

// After a crash of haproxy-zk the next start keeps the sockets of the workers it adopts.
func TestTakeoverKeepsListeners(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		s.serves(front, s.app(front))
		clients := s.newcomers()
		s.crash()
		s.start()
		before := s.pids()
		s.adopts(before)
		s.holds()
		clients.halt(syscall.SIGKILL, before...)
		s.replaced(before)
		clients.end()
		s.stopped()
	})
}

// One worker hands over the listening sockets of all processes, also those that only
// another one serves.
func TestListenerOfOneProcessIsKept(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		port := freePort(t)
		bind := "    bind            *:$listener_port\n"
		s.config.Template = strings.Replace(rig.SeedTemplate, bind, fmt.Sprintf("%s    bind 127.0.0.1:%d process 2\n", bind, port), 1)
		s.connect()
		s.start()
		s.ready()
		a := s.app(front)
		s.serves(front, a)
		for _, sig := range []syscall.Signal{syscall.SIGUSR2, syscall.SIGKILL} {
			s.holds()
			before := s.pids()
			if sig == syscall.SIGUSR2 {
				s.signal(sig)
			} else {
				for _, pid := range before {
					if err := syscall.Kill(pid, sig); err != nil {
						t.Fatal(err)
					}
				}
				s.ended(before)
			}
			// The daemon has not replaced it yet, or just has.
			if err := s.answersAt(port, "/", a); err != nil {
				t.Errorf("after %v: %v", sig, err)
			}
			s.renewed(before)
			if err := s.answersAt(port, "/", a); err != nil {
				t.Errorf("by the replacement: %v", err)
			}
		}
		s.stopped()
	})
}

// dial opens a connection to the listener and closes it.
func (s *stage) dial(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err == nil {
		conn.Close()
	}
	return err
}

// refuses waits until an address refuses connections.
func (s *stage) refuses(addr string) {
	s.t.Helper()
	s.eventually("connections are refused", func() error {
		if err := s.dial(addr); !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("not refused: %w", err)
		}
		return nil
	})
}

// If no replacement starts, waiting clients are cut and others refused when the hold is
// over. A later replacement serves.
func TestHoldEndsWithoutReplacement(t *testing.T) {
	onBothKinds(t, func(t *testing.T, h rig.HAProxy) {
		const hold = 1500 * time.Millisecond
		s := newStage(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"listener_hold": hold.String()} })
		s.wrap(`if [ "$mode $1" = "broken -D" ]; then echo it is broken >&2; exit 1; fi`)
		s.connect()
		s.start()
		s.ready()
		a := s.app(front)
		s.serves(front, a)
		s.holds()
		before := s.pids()
		s.mode("broken")
		begun := time.Now()
		for _, pid := range before {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		s.ended(before)
		waiting, err := net.Dial("tcp", s.config.Listener())
		if err != nil {
			t.Fatalf("refused after %v: %v", time.Since(begun), err)
		}
		defer waiting.Close()
		s.refuses(s.config.Listener())
		if took := time.Since(begun); took < hold {
			t.Errorf("refused after %v", took)
		}
		if err := waiting.SetReadDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		if _, err := waiting.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a waiting client got %v", err)
		}
		s.says("closing the listening sockets: new connections are refused")
		if err := s.counts(0, "haproxyzk_listeners_held"); err != nil {
			t.Error(err)
		}
		s.mode("")
		s.replaced(before)
		s.holds()
		s.anew([]*rig.App{a}, rig.Target{Path: "/", App: front})
		s.stopped()
	})
}

// With a hold of zero nothing is kept.
func TestListenersAreNotKeptWithoutHold(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"listener_hold": "0s"} })
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		s.signal(syscall.SIGUSR2)
		s.renewed(before)
		if err := s.counts(0, "haproxyzk_listeners_held"); err != nil {
			t.Error(err)
		}
		s.config.Extra = map[string]any{"listener_hold": "5s"}
		s.rewrite(s.config)
		s.reread("ok")
		s.holds()
		s.config.Extra = map[string]any{"listener_hold": "0s"}
		s.rewrite(s.config)
		s.reread("ok")
		s.eventually("nothing is kept", func() error { return s.counts(0, "haproxyzk_listeners_held") })
		s.stopped()
	})
}

// Reloads leak neither descriptors nor files, also with a unix socket of the template.
func TestReloadsLeakNoListeners(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		unix := filepath.Join(s.home, "front.sock")
		bind := "    bind            *:$listener_port\n"
		s.config.Template = strings.Replace(rig.SeedTemplate, bind, bind+"    bind unix@"+unix+"\n", 1)
		s.connect()
		s.start()
		s.ready()
		s.serves(front, s.app(front))
		files := func() (names []string) {
			for _, dir := range []string{s.home, filepath.Join(s.home, "logs"), filepath.Join(s.home, "run")} {
				entries, err := os.ReadDir(dir)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range entries {
					names = append(names, filepath.Join(dir, e.Name()))
				}
			}
			return names
		}
		reload := func() {
			before := s.pids()
			s.signal(syscall.SIGUSR2)
			s.renewed(before)
			s.holds()
		}
		reload()
		kept, open, there := s.metric("haproxyzk_listeners_held"), len(descriptors(t, s.daemon.PID())), files()
		for range reloads() {
			reload()
		}
		if now := s.metric("haproxyzk_listeners_held"); now != kept {
			t.Errorf("%v sockets are kept, before %v", now, kept)
		}
		s.eventually("no descriptor has leaked", func() error {
			// The connection of the last query may still be open.
			if now := len(descriptors(t, s.daemon.PID())); now > open+1 {
				return fmt.Errorf("%d descriptors, before %d", now, open)
			}
			return nil
		})
		if diff := cmp.Diff(there, files()); diff != "" {
			t.Errorf("files: -before +after\n%s", diff)
		}
		before := s.pids()
		for _, pid := range before {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		s.replaced(before)
		conn, err := net.Dial("unix", unix)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		s.stopped()
	})
}

// A port that a reload removes is closed: haproxy-zk does not keep it.
func TestRemovedListenerIsClosed(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		port := freePort(t)
		s := begin(t, h, func(c *rig.SeedConfig) { c.Groups[1].Extra = map[string]any{"listener_port": port} })
		a, b := s.app(front), s.app(base)
		s.serves(front, a)
		s.serves(base, b)
		s.holds()
		before := s.pids()
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if err := s.dial(addr); err != nil {
			t.Fatal(err)
		}
		kept := s.metric("haproxyzk_listeners_held")
		s.config.Groups[1].Extra = nil
		s.rewrite(s.config)
		s.reread("ok")
		s.renewed(before)
		s.refuses(addr)
		if err := s.counts(kept-1, "haproxyzk_listeners_held"); err != nil {
			t.Error(err)
		}
		s.anew([]*rig.App{a}, rig.Target{Path: "/", App: front})
		s.stopped()
	})
}

// A stats socket without `expose-fd listeners`, here because of a script around HAProxy,
// is reported, and a crash costs what it would without a hold.
func TestHAProxyThatHandsOverNothingIsReported(t *testing.T) {
	onBothKinds(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.wrap(`[ "$1" = -D ] && sed -i 's| expose-fd listeners||' "$3"`)
		s.connect()
		s.start()
		s.ready()
		a := s.app(front)
		s.serves(front, a)
		s.says("cannot keep HAProxy's listening sockets")
		s.says("needs `expose-fd listeners`")
		before := s.pids()
		for _, pid := range before {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		s.replaced(before)
		s.anew([]*rig.App{a}, rig.Target{Path: "/", App: front})
		s.stopped()
	})
}

// New connections are refused from the beginning of a stop, while running requests finish.
func TestStopRefusesNewConnections(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		s.holds()
		running := s.slow(a, 3*time.Second)
		s.signal(sigterm)
		s.refuses(s.config.Listener())
		if len(running) > 0 {
			t.Error("refused only after the request")
		}
		if err := <-running; err != nil {
			t.Error(err)
		}
		s.exits(0)
		s.nothingLeft()
	})
}
