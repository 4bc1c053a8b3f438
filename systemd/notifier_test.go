package systemd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listenNotify is systemd's side; next returns the next datagram.
func listenNotify(t *testing.T, name string) (next func() string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return func() string {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1024)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestNotify(t *testing.T) {
	dir, err := os.MkdirTemp("", "hz-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{filepath.Join(dir, "n"), "@haproxy-zk-test-" + strconv.Itoa(os.Getpid())} {
		next := listenNotify(t, name)
		t.Setenv("NOTIFY_SOCKET", name)
		n := FromEnvironment()
		if os.Getenv("NOTIFY_SOCKET") != "" {
			t.Error("HAProxy would get NOTIFY_SOCKET")
		}
		var before unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before); err != nil {
			t.Fatal(err)
		}
		for _, notify := range []func() error{n.Ready, n.Reloading, n.Ready, n.Stopping, func() error { return n.Status("well") }} {
			if err := notify(); err != nil {
				t.Error(err)
			}
		}
		if got := next(); got != "READY=1" {
			t.Errorf("%q", got)
		}
		text, usec, _ := strings.Cut(next(), "\nMONOTONIC_USEC=")
		if now, err := strconv.ParseInt(usec, 10, 64); text != "RELOADING=1" || err != nil || now < before.Nano()/1000 || now > before.Nano()/1000+60e6 {
			t.Errorf("%q %q", text, usec)
		}
		if got := next() + next() + next(); got != "READY=1STOPPING=1STATUS=well" {
			t.Errorf("%q", got)
		}
	}
}

func TestReadyIsSentOnceAndWatchdogFedWhileAlive(t *testing.T) {
	name := "@haproxy-zk-watchdog-" + strconv.Itoa(os.Getpid())
	next := listenNotify(t, name)
	calls := 0
	alive := func() error {
		if calls++; calls == 1 {
			return errors.New("not yet")
		}
		return nil
	}
	var asked atomic.Int32
	serves := func() error {
		if asked.Add(1) < 3 {
			return errors.New("not\nyet")
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Notifier{newSocket(name), 20 * time.Millisecond}.Run(ctx, serves, alive) }()
	if got := next() + next() + next(); got != "STATUS=not ready: not yetSTATUS=all proxies are servingREADY=1" || asked.Load() != 3 {
		t.Errorf("%q after %d", got, asked.Load())
	}
	if got := next() + next(); got != "WATCHDOG=1WATCHDOG=1" {
		t.Errorf("%q", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if calls < 3 {
		t.Errorf("asked %d times", calls)
	}
}

// Even without a watchdog systemd gets every change of the status.
func TestStatusIsSentOnChange(t *testing.T) {
	name := "@haproxy-zk-status-" + strconv.Itoa(os.Getpid())
	next := listenNotify(t, name)
	var problem atomic.Pointer[error]
	serves := func() error {
		if p := problem.Load(); p != nil {
			return *p
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Notifier{socket: newSocket(name)}.Run(ctx, serves, nil) }()
	if got := next() + next(); got != "STATUS=all proxies are servingREADY=1" {
		t.Errorf("%q", got)
	}
	err := errors.New("workers keep dying")
	problem.Store(&err)
	if got := next(); got != "STATUS=not ready: workers keep dying" {
		t.Errorf("%q", got)
	}
	problem.Store(nil)
	if got := next(); got != "STATUS=all proxies are serving" {
		t.Errorf("%q", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "30000000")
	n := FromEnvironment()
	if n.watchdog != 0 {
		t.Errorf("watchdog %s", n.watchdog)
	}
	if err := errors.Join(n.Ready(), n.Reloading(), n.Stopping(), n.Status("well")); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Run(ctx, nil, nil); err != nil {
		t.Error(err)
	}
	if err := (Notifier{socket: newSocket("/nowhere/n")}).Ready(); err == nil {
		t.Error("no error although systemd got nothing")
	}
}

// systemd may recreate its socket, with a gap.
func TestNotifySocketIsReopened(t *testing.T) {
	dir, err := os.MkdirTemp("", "hz-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "n")
	s := newSocket(name)
	if err := s.send("READY=1"); err == nil {
		t.Error("no error although systemd got nothing")
	}
	for range 2 {
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.send("READY=1"); err != nil {
				t.Error(err)
			}
			b := make([]byte, 64)
			if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if n, err := conn.Read(b); err != nil || string(b[:n]) != "READY=1" {
				t.Errorf("%q, %v", b[:n], err)
			}
			kept := s.conn
			if err := s.send("STATUS=x"); err != nil || s.conn != kept {
				t.Errorf("a second datagram went over another connection: %v", err)
			}
			if n, err := conn.Read(b); err != nil || string(b[:n]) != "STATUS=x" {
				t.Errorf("%q, %v", b[:n], err)
			}
		}
		conn.Close()
		if err := s.send("READY=1"); err == nil {
			t.Error("no error although systemd got nothing")
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatchdogOfAnotherProcess(t *testing.T) {
	for pid, want := range map[string]time.Duration{
		"":                          15 * time.Second,
		fmt.Sprint(os.Getpid()):     15 * time.Second,
		fmt.Sprint(os.Getpid() + 1): 0,
	} {
		t.Setenv("NOTIFY_SOCKET", "@x")
		t.Setenv("WATCHDOG_USEC", "15000000")
		t.Setenv("WATCHDOG_PID", pid)
		if n := FromEnvironment(); n.watchdog != want {
			t.Errorf("pid %q: %s", pid, n.watchdog)
		}
	}
}
