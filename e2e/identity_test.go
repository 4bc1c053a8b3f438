package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// passesForHAProxy starts a shell of another user with HAProxy's arguments, and returns
// a function that fails the test if the shell was killed.
func (s *stage) passesForHAProxy() (untouched func()) {
	s.t.Helper()
	cmd := exec.Command("sh", "-c", "read x", "haproxy", "-D", "-f", s.config.ConfFile(), "-p", s.config.PIDFile())
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1, Gid: 1}}
	input, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return func() {
		s.t.Helper()
		// It exits with 0 after reading a line, unless it was killed.
		_, writing := input.Write([]byte("x\n"))
		if err := errors.Join(writing, cmd.Wait()); err != nil {
			s.t.Errorf("a process that passes for HAProxy was ended: %v", err)
		}
	}
}

// HAProxy started by root may change its user: a later haproxy-zk recognizes it by the
// record, or else by that user and its executable. Its log is forwarded as well.
func TestHAProxyWithChangedUserIsTakenOver(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		run := filepath.Join(s.home, "run")
		text := strings.Replace(patient(h), "global\n", "global\n    user nobody\n", 1)
		text = strings.Replace(text, "log 127.0.0.1 local0", "log "+run+"/ngboss.log.sock local0", 1)
		s.config.Template = strings.Replace(text, "    option          httplog\n", "    log global\n    option          httplog\n", 1)
		if err := os.Chmod(s.home, 0o755); err != nil { //nolint:gosec // HAProxy's user logs to a socket in it
			t.Fatal(err)
		}
		s.connect()
		s.start()
		s.ready()
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/who-asks", App: front})
		s.eventually("it is used", func() error { return used(load, []*rig.App{a}) })
		s.says("GET /who-asks HTTP/1.1")
		untouched := s.passesForHAProxy()
		for _, recorded := range []bool{true, false} {
			old := s.pids()
			s.crash()
			if !recorded {
				if err := os.Remove(filepath.Join(run, "ngboss.workers")); err != nil {
					t.Fatal(err)
				}
			}
			s.start()
			s.adopts(old)
			s.serves(front, a)
			if n := strings.Count(s.daemon.Output(), "foreign process has the pid or the arguments"); n != 1 {
				t.Errorf("the process that passes for HAProxy is reported %d times", n)
			}
		}
		s.lost(load)
		untouched()
		s.stopped()
	})
}

// An invalid configuration beside a serving HAProxy must not keep systemd and Docker
// from retrying: nothing updates that HAProxy.
func TestWrongConfigurationBesideServingHAProxy(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Template = patient(h) })
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		s.eventually("it is used", func() error { return used(load, []*rig.App{a}) })
		old := s.pids()
		s.crash()
		file, err := s.config.Write(s.home)
		if err != nil {
			t.Fatal(err)
		}
		right, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("{,}"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.launch(file)
		s.exits(1)
		if want := fmt.Sprintf("HAProxy %d is still running from an earlier start", old); !strings.Contains(s.daemon.Output(), want) {
			t.Errorf("it does not say %q:\n%s", want, s.daemon.Output())
		}
		if err := os.WriteFile(file, right, 0o600); err != nil {
			t.Fatal(err)
		}
		s.launch(file)
		s.adopts(old)
		s.lost(load)
		s.stopped()
	})
}

func TestTermAfterAFloodOfHUPStops(t *testing.T) {
	t.Parallel()
	s := begin(t, shared.haproxies[0], nil)
	for range 10_000 {
		if err := syscall.Kill(s.daemon.PID(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	s.signal(syscall.SIGTERM)
	s.exits(0)
}
