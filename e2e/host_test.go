package e2e

import (
	"context"
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
		if err := command.Close(); err != nil { // what it left running too
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

// pid is that of haproxy-zk.
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

func (s *stage) nothingLeft() {
	s.t.Helper()
	if left, err := s.daemon.Leftovers(); err != nil || len(left) > 0 {
		s.t.Errorf("left behind: %v, %v", left, err)
	}
}

// HAProxy serves from the first start to stop --haproxy, without a lost request.
func TestLifeOnAHost(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.connect()
		a := s.app(front)
		s.commands(3, "stopped", "status")
		s.commands(0, "is running", "start")
		s.serves(front, a)
		s.commands(0, `"ready":true`, "status")
		s.commands(0, a.Addr(), "get", s.proxy()+"/"+front)
		s.commands(1, "404", "get", "nothing")
		s.commands(0, "", "healthcheck")
		first, workers := s.pid(), s.pids()
		s.commands(0, fmt.Sprintf("process [%d] is running already", first), "start")

		load := s.load(rig.Target{Path: "/", App: front})
		s.commands(0, "HAProxy goes on serving", "stop")
		if now := s.pids(); !slices.Equal(now, workers) {
			t.Errorf("workers %v, before the stop %v", now, workers)
		}
		s.commands(3, "stopped", "status")
		s.commands(1, "", "healthcheck")
		b := s.app(front) // nobody notices yet
		s.commands(0, "is running", "start")
		s.serves(front, a, b)
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })

		second := s.pid()
		s.commands(0, "is running", "restart")
		if s.pid() == second {
			t.Error("restart left it as it was")
		}
		s.serves(front, a, b)

		if err := syscall.Kill(s.pid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.commands(3, "is stale", "status")
		s.commands(0, "is running", "start")
		s.serves(front, a, b)
		s.lost(load)

		s.commands(0, "and HAProxy with it", "stop", "--haproxy")
		s.nothingLeft()
		for _, name := range []string{"haproxy-zk.pid", "control.sock"} {
			if _, err := os.Lstat(filepath.Join(s.home, "run", name)); !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", name, err)
			}
		}
	})
}

func TestStartThatFailsTellsTheReason(t *testing.T) {
	h := shared.haproxies[0]
	s := newStage(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"exec": "/nowhere/haproxy"} })
	s.commands(2, "/nowhere/haproxy", "start")
	s.nothingLeft()
	s.commands(3, "stopped", "status")
}

func TestStartWhileZooKeeperIsAway(t *testing.T) {
	s := newStage(t, shared.haproxies[0], func(c *rig.SeedConfig) { c.ZKAddr = "127.0.0.1:1" })
	s.commands(0, "not ready yet", "start")
	s.commands(0, `"ready":false`, "status")
	s.commands(0, "and HAProxy with it", "stop", "--haproxy")
	s.nothingLeft()
}

func TestPIDFileOfAnotherProgramStays(t *testing.T) {
	s := newStage(t, shared.haproxies[0], nil)
	file := filepath.Join(s.home, "web.pid")
	if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.commands(1, "no haproxy-zk", "start", "--pid-file", file)
	s.nothingLeft()
}

// It tells systemd when it serves, when it reads its configuration again, that
// it is well, and when it stops.
func TestSystemdIsTold(t *testing.T) {
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
	told("WATCHDOG=1")
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
