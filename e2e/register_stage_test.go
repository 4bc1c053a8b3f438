package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// wrapping describes a haproxy-zk register.
type wrapping struct {
	flags   []string
	env     []string
	command []string // none: a sidecar
	alone   bool     // as process 1
}

// startsWithin bounds the start of a program with the race detector on a busy machine, and
// what follows it.
const startsWithin = 2 * time.Minute

func (s *stage) patiently(what string, check func() error) {
	s.t.Helper()
	if err := rig.Eventually(s.t.Context(), startsWithin, check); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// wrapper is a running haproxy-zk register.
type wrapper struct {
	*rig.Daemon
	t *testing.T
}

func startWrapper(t *testing.T, w wrapping) *wrapper {
	t.Helper()
	home, err := os.MkdirTemp("", "hz-")
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"register", "--log-format", "text"}, w.flags...)
	if len(w.command) > 0 {
		args = append(append(args, "--"), w.command...)
	}
	d, err := rig.StartDaemon(rig.DaemonOptions{Binary: shared.binary, Dir: home, Args: args, Env: w.env, Alone: w.alone})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the wrapper said:\n%s", d.Output())
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	return &wrapper{d, t}
}

// says waits until the wrapper, or its command, has printed words.
func (w *wrapper) says(words string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), startsWithin)
	defer cancel()
	if err := w.WaitOutput(ctx, words); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wrapper) send(sig syscall.Signal) {
	w.t.Helper()
	if err := w.Signal(sig); err != nil {
		w.t.Fatal(err)
	}
}

// ends waits until the wrapper has ended, and asserts its exit code.
func (w *wrapper) ends(want int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), startsWithin)
	defer cancel()
	code, err := w.Wait(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	if code != want {
		w.t.Errorf("exit code %d, want %d; it said:\n%s", code, want, w.Output())
	}
}

// service is where an instance of e2e/service listens.
type service struct{ addr, group string }

func (s *stage) service(group string) service {
	s.t.Helper()
	return service{fmt.Sprintf("127.0.0.1:%d", s.port()), group}
}

// wrap starts a service inside a haproxy-zk register with more flags.
func (s *stage) wrapped(a service, flags ...string) *wrapper {
	s.t.Helper()
	binary, err := rig.BuildService(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return startWrapper(s.t, wrapping{
		flags: append(s.registering(a.group, a.addr, "--check", "http://"+a.addr+"/probe.jsp"), flags...),
		env:   []string{"LISTEN=" + a.addr, "APP=" + a.group}, command: []string{binary},
	})
}

// registering returns the flags that register an address in a group of the stage.
func (s *stage) registering(group, addr string, flags ...string) []string {
	return append([]string{"--zk", s.config.ZKAddr, "--zk-path", s.config.ZKPath, "--group", group, "--address", addr}, flags...)
}

// present waits until the node of a group has exactly these children.
func (s *stage) present(group string, want ...string) {
	s.t.Helper()
	slices.Sort(want)
	s.patiently("registered in "+group, func() error {
		got, err := s.registry.Children(s.node(group))
		if err != nil && len(want) > 0 {
			return err
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			return fmt.Errorf("registered are %v, want %v", got, want)
		}
		return nil
	})
}

// registrations prepares a stage without HAProxy.
func registrations(t *testing.T, zookeeper *rig.ZooKeeper) *stage {
	t.Helper()
	t.Parallel()
	s := newStage(t, rig.HAProxy{}, func(c *rig.SeedConfig) { c.ZKAddr = zookeeper.Addr() })
	s.use(zookeeper.Connect(t.Context(), patience))
	return s
}

// owner returns the session that owns a node, and 0 if the node does not exist.
func (s *stage) owner(group, name string) int64 {
	s.t.Helper()
	exists, stat, err := s.registry.Conn().Exists(s.node(group) + "/" + name)
	if err != nil {
		s.t.Fatal(err)
	}
	if !exists {
		return 0
	}
	return stat.EphemeralOwner
}

// absences records until the returned function is called how long a node was missing in
// all.
func (s *stage) absences(group, name string) (stop func() time.Duration) {
	s.t.Helper()
	done, total := make(chan struct{}), make(chan time.Duration)
	go func() {
		var missing time.Duration
		before := time.Now()
		for {
			exists, _, err := s.registry.Conn().Exists(s.node(group) + "/" + name)
			now := time.Now()
			if err == nil && !exists {
				missing += now.Sub(before)
			}
			before = now
			select {
			case <-done:
				total <- missing
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	stop = sync.OnceValue(func() time.Duration {
		close(done)
		return <-total
	})
	s.t.Cleanup(func() { stop() }) // while it asks, the session cannot be closed
	return stop
}

// count returns how often the wrapper has said words.
func (w *wrapper) count(words string) int { return strings.Count(w.Output(), words) }
