//go:build release

package host

import (
	"fmt"
	"strconv"
	"syscall"
	"testing"
)

// After a kill it is restarted and takes over the HAProxy that is still serving.
func TestKill(t *testing.T) {
	t.Parallel()
	h := installed(t)
	a := h.app("web")
	h.start()
	main, _ := h.pids()
	load := h.load("web")
	h.used(load, a)
	h.signal(main, syscall.SIGKILL)
	h.takenOver(main)
	h.used(load, h.app("web"))
	lost(t, load)
	h.run("systemctl", "stop", unit)
	h.nothingRuns()
}

// If it hangs the watchdog kills it, with its stacks in the journal, and it is
// restarted.
func TestHang(t *testing.T) {
	t.Parallel()
	h := installed(t)
	h.dropIn("WatchdogSec=10")
	a := h.app("web")
	h.start()
	main, haproxy := h.pids()
	load := h.load("web")
	h.used(load, a)
	h.signal(main, syscall.SIGSTOP)
	h.eventually("the watchdog ends it", func() error { return h.ended(main) })
	h.takenOver(main)
	h.logs("Watchdog timeout", "goroutine ")
	if _, now := h.pids(); now != haproxy {
		t.Errorf("HAProxy %d was not adopted but replaced by %d", haproxy, now)
	}
	h.used(load, h.app("web"))
	lost(t, load)
}

// If it is restarted with a wrong configuration after a crash, HAProxy keeps serving
// and systemd retries: once the configuration is corrected, HAProxy is taken over, and
// a stop ends everything.
func TestCrashThenAWrongConfiguration(t *testing.T) {
	t.Parallel()
	h := installed(t)
	a := h.app("web")
	h.start()
	main, haproxy := h.pids()
	load := h.load("web")
	h.used(load, a)
	h.configure("BALANCE=")
	settings := h.run("cat", defaults)
	h.configure("MODE=ftp")
	h.signal(main, syscall.SIGKILL)
	h.eventually("it is tried again and again", func() error {
		n, err := strconv.Atoi(h.property("NRestarts"))
		if err == nil && n < 3 {
			err = fmt.Errorf("%d restarts", n)
		}
		return err
	})
	if h.ended(haproxy) == nil {
		t.Errorf("HAProxy %d has ended", haproxy)
	}
	h.logs("environment: MODE: ", "is still running from an earlier start")
	h.write(defaults, settings+"\n")
	h.becomes("ActiveState", "active")
	if _, now := h.pids(); now != haproxy {
		t.Errorf("HAProxy %d was not adopted but replaced by %d", haproxy, now)
	}
	h.used(load, h.app("web"))
	lost(t, load)
	h.run("systemctl", "stop", unit)
	h.nothingRuns()
}

// systemd keeps retrying a unit that fails again and again.
func TestNeverGivenUp(t *testing.T) {
	t.Parallel()
	h := installed(t)
	a := h.app("web")
	h.dropIn("RestartSec=100ms")
	h.start()
	main, haproxy := h.pids()
	load := h.load("web")
	h.used(load, a)
	// The port of its query API will be in use.
	h.configure("HTTP_ADDR=127.0.0.1:20001")
	h.signal(main, syscall.SIGKILL)
	h.eventually("it is started more often than systemd usually does", func() error {
		n, err := strconv.Atoi(h.property("NRestarts"))
		if err == nil && n < 10 {
			err = fmt.Errorf("%d restarts", n)
		}
		return err
	})
	if h.ended(haproxy) == nil {
		t.Errorf("HAProxy %d has ended", haproxy)
	}
	h.configure(fmt.Sprintf("HTTP_ADDR=:%d", api))
	h.becomes("ActiveState", "active")
	h.takenOver(main)
	h.used(load, h.app("web"))
	lost(t, load)
}

// A stop between a crash and the next start leaves HAProxy serving, as documented in
// docs/operations.md, and systemd can end that too.
func TestStopBetweenCrashAndStart(t *testing.T) {
	t.Parallel()
	h := installed(t)
	h.dropIn("RestartSec=300")
	a := h.app("web")
	h.start()
	main, haproxy := h.pids()
	h.signal(main, syscall.SIGKILL)
	h.becomes("SubState", "auto-restart")
	h.run("systemctl", "stop", unit)
	h.becomes("ActiveState", "inactive")
	h.servesAlone(haproxy)
	h.answers("web", a)
	h.run("systemctl", "kill", unit)
	h.eventually("HAProxy ends", func() error { return h.ended(haproxy) })
	h.nothingRuns()
}
