package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// command runs a command of the host mode to its end.
func (s *stage) command(args ...string) (code int, output string) {
	s.t.Helper()
	file, err := s.config.Write(s.home)
	if err != nil {
		s.t.Fatal(err)
	}
	args = append(args, "--config", file, "--http-addr", s.http, "--run-dir", s.home+"/run", "--state-dir", s.home+"/state", "--start-wait", "1s")
	s.daemon, err = rig.StartDaemon(rig.DaemonOptions{Binary: shared.binary, Args: args, Dir: s.home})
	if err != nil {
		s.t.Fatal(err)
	}
	command := s.daemon
	s.t.Cleanup(func() {
		if err := command.Close(); err != nil { // and what it left running
			s.t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*within)
	defer cancel()
	if code, err = command.Wait(ctx); err != nil {
		s.t.Fatal(err)
	}
	return code, command.Output()
}

func (s *stage) commands(wantCode int, words string, args ...string) {
	s.t.Helper()
	code, output := s.command(args...)
	if code != wantCode || !strings.Contains(output, words) {
		log, _ := os.ReadFile(s.home + "/run/haproxy-zk.log")
		s.t.Fatalf("%v: exit code %d, want %d and %q:\n%s\nthe log:\n%s", args, code, wantCode, words, output, log)
	}
}

// started begins with `start` and one instance in service.
func started(t *testing.T, h rig.HAProxy) (*stage, *rig.App) {
	t.Helper()
	s := newStage(t, h, nil)
	s.connect()
	a := s.app(front)
	s.commands(0, "is running", "start")
	s.serves(front, a)
	return s, a
}

// pid returns the pid of haproxy-zk.
func (s *stage) pid() int {
	s.t.Helper()
	text, err := os.ReadFile(s.home + "/run/haproxy-zk.pid")
	if err != nil {
		s.t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

// killDaemon ends haproxy-zk like a crash, and waits until it is gone.
func (s *stage) killDaemon() {
	s.t.Helper()
	pid := s.pid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	s.eventually("the daemon is gone", func() error {
		left, err := s.daemon.Leftovers()
		if slices.ContainsFunc(left, func(p rig.Process) bool { return p.PID == pid }) {
			return fmt.Errorf("process %d is running", pid)
		}
		return err
	})
}

func (s *stage) nothingLeft() {
	s.t.Helper()
	if left, err := s.daemon.Leftovers(); err != nil || len(left) > 0 {
		s.t.Errorf("left behind: %v, %v", left, err)
	}
}

// HAProxy serves from the first start to stop --haproxy, without a lost request.
func TestStartStatusRestartStop(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.connect()
		a := s.app(front)
		s.commands(3, "stopped", "status")
		s.commands(0, "is running", "start")
		s.serves(front, a)
		s.commands(0, `"ready":true`, "status")
		s.commands(0, a.Addr(), "get", s.proxy()+"/"+front)
		s.commands(1, `there is no proxy "nothing"`, "get", "nothing")
		s.commands(0, "", "healthcheck")
		first, workers := s.pid(), s.pids()
		s.commands(0, fmt.Sprintf("process [%d] is running already", first), "start")

		load := s.load(rig.Target{Path: "/", App: front})
		s.commands(0, "HAProxy keeps serving", "stop")
		if now := s.pids(); !slices.Equal(now, workers) {
			t.Errorf("workers %v, before the stop %v", now, workers)
		}
		s.commands(3, "stopped, HAProxy still serving (pids ", "status")
		s.commands(1, "", "healthcheck")
		b := s.app(front) // not noticed yet
		s.commands(0, "is running", "start")
		s.serves(front, a, b)
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })

		second := s.pid()
		s.commands(0, "is running", "restart")
		if s.pid() == second {
			t.Error("restart left it as it was")
		}
		s.serves(front, a, b)

		s.killDaemon()
		s.commands(3, "is stale", "status")
		s.commands(0, "is running", "start")
		s.serves(front, a, b)
		s.lost(load)

		s.commands(0, "and HAProxy with it", "stop", "--haproxy")
		s.nothingLeft()
		for _, name := range []string{"haproxy-zk.pid", "haproxy-zk.pid.start", "control.sock"} {
			if _, err := os.Lstat(filepath.Join(s.home, "run", name)); !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", name, err)
			}
		}
	})
}

// Problems that would keep the successor from starting leave the running daemon alone:
// it keeps following ZooKeeper.
func TestFailedRestartChangesNothing(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, a := started(t, h)
		first, workers := s.pid(), s.pids()
		load := s.load(rig.Target{Path: "/", App: front})
		good, addr := *s.config, s.http
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		for _, wrong := range []struct {
			code  int
			words string
			make  func()
		}{
			{2, "/nowhere/haproxy", func() { s.config.Extra = map[string]any{"exec": "/nowhere/haproxy"} }},
			{2, "ngboss.groups." + front + ": HAProxy: ", func() { s.config.Groups[0].ACLs = []string{"no_such_fetch_at_all x"} }},
			{2, "/nowhere/x.template", func() { s.config.Extra = map[string]any{"template": "/nowhere/x.template"} }},
			{2, "is in use", func() { s.http = taken.Addr().String() }},
			{2, "is in use", func() {
				s.config.Extra = map[string]any{"admin_port": taken.Addr().(*net.TCPAddr).Port}
			}},
		} {
			groups := slices.Clone(good.Groups)
			*s.config = good
			s.config.Groups = groups
			wrong.make()
			s.commands(wrong.code, wrong.words, "restart")
			s.commands(wrong.code, "is still running as before", "restart")
			s.http = addr
		}
		*s.config = good
		if s.pid() != first {
			t.Errorf("process %d, before %d", s.pid(), first)
		}
		if now := s.pids(); !slices.Equal(now, workers) {
			t.Errorf("workers %v, before %v", now, workers)
		}
		b := s.app(front)
		s.serves(front, a, b)
		s.commands(0, "is running", "restart")
		s.serves(front, a, b)
		s.lost(load)
		s.commands(0, "and HAProxy with it", "stop", "--haproxy")
		s.nothingLeft()
	})
}

// The daemon is gone, after a crash or a stop, and the configuration may be invalid by
// then: HAProxy still stops, finishing its requests.
func TestStopOfUnmanagedHAProxy(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.connect()
		a := s.app(front)
		for _, end := range []string{"crash", "stop", "crash, and a wrong configuration"} {
			s.commands(0, "is running", "start")
			s.serves(front, a)
			workers := s.pids()
			if end == "stop" {
				s.commands(0, "HAProxy keeps serving", "stop")
			} else {
				s.killDaemon()
			}
			if end == "crash, and a wrong configuration" {
				s.config.Extra = map[string]any{"zk.path": "no path", "template": "/nowhere"}
			}
			s.commands(3, fmt.Sprintf("HAProxy still serving (pids %s)", strings.Trim(fmt.Sprint(slices.Sorted(slices.Values(workers))), "[]")), "status")
			answer := s.slow(a, time.Second)
			s.commands(0, "has ended", "stop", "--haproxy")
			if err := <-answer; err != nil {
				t.Errorf("%s: the running request: %v", end, err)
			}
			s.nothingLeft()
			s.commands(0, "no HAProxy of this haproxy-zk is running", "stop", "--haproxy")
			s.commands(3, "stopped\n", "status")
		}
	})
}

// If the daemon is killed during `stop --haproxy`, the command does not succeed with
// HAProxy still running.
func TestStopWhoseDaemonIsKilledEndsHAProxy(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, _ := started(t, h)
		pid := s.pid()
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		killed := make(chan error, 1)
		go func() {
			err := rig.Eventually(t.Context(), within, func() error { return pending(pid, syscall.SIGTERM) })
			killed <- errors.Join(err, syscall.Kill(pid, syscall.SIGKILL))
		}()
		s.commands(0, "has ended without stopping HAProxy", "stop", "--haproxy")
		if err := <-killed; err != nil {
			t.Error(err)
		}
		s.nothingLeft()
	})
}

// pending returns nil if a signal is pending for a stopped process.
func pending(pid int, sig syscall.Signal) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(status), "\nShdPnd:\t")
	mask, err := strconv.ParseUint(strings.SplitN(rest, "\n", 2)[0], 16, 64)
	if err == nil && mask&(1<<(sig-1)) == 0 {
		err = fmt.Errorf("%v does not wait for process %d: %x", sig, pid, mask)
	}
	return err
}

func TestFailedStartReportsTheReason(t *testing.T) {
	t.Parallel()
	h := shared.haproxies[0]
	s := newStage(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"exec": "/nowhere/haproxy"} })
	s.commands(2, "/nowhere/haproxy", "start")
	s.nothingLeft()
	s.commands(3, "stopped", "status")
}

func TestStartCommandWithoutZooKeeper(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared.haproxies[0], func(c *rig.SeedConfig) { c.ZKAddr = "127.0.0.1:1" })
	s.commands(0, "not ready yet", "start")
	s.commands(0, `"ready":false`, "status")
	s.commands(0, "and HAProxy with it", "stop", "--haproxy")
	s.nothingLeft()
}

func TestStartReplacesThePIDFileOfAnotherProgram(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared.haproxies[0], nil)
	file := filepath.Join(s.home, "web.pid")
	if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.commands(0, "is stale", "start", "--pid-file", file)
	if text, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(text)) == strconv.Itoa(os.Getpid()) {
		t.Errorf("the pid file still names this test's process: %q, %v", text, err)
	}
	s.commands(0, "", "stop", "--haproxy", "--pid-file", file)
	s.nothingLeft()
}

// The daemon notifies systemd when it serves, when it reloads its configuration, that
// it is alive, even without free descriptors, and when it stops.
func TestSystemdNotifications(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared.haproxies[0], nil)
	file, err := s.config.Write(s.home)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(s.home, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	told := func(words string) {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		for {
			b := make([]byte, 256)
			n, err := conn.Read(b)
			if err != nil {
				t.Fatalf("%s: %v", words, err)
			}
			if strings.HasPrefix(string(b[:n]), words) {
				return
			}
		}
	}
	s.run("CONFIG="+file, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=200000")
	told("READY=1")
	told("WATCHDOG=1")
	release := exhaust(t, s.daemon.PID())
	for range 5 { // the first of them may have been sent before
		told("WATCHDOG=1")
	}
	release()
	if err := s.daemon.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	told("RELOADING=1\nMONOTONIC_USEC=")
	told("READY=1")
	if err := s.daemon.Signal(sigterm); err != nil {
		t.Fatal(err)
	}
	told("STOPPING=1")
	s.exits(0)
}
