//go:build release

package host

import (
	"fmt"
	"strconv"
	"syscall"
	"testing"
)

// Killed, it is started again and takes over from the HAProxy that serves on.
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

// One that hangs is ended by the watchdog, with its stacks in the journal, and
// started again.
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
	h.tells("Watchdog timeout", "goroutine ")
	h.eventually("the HAProxy before ends", func() error { return h.ended(haproxy) })
	h.used(load, h.app("web"))
	lost(t, load)
}

// A crash that a start with a wrong configuration follows leaves HAProxy serving;
// mended, the next start takes it over, and a stop ends all.
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
	h.becomes("ActiveState", "failed", "Result", "exit-code", "ExecMainStatus", "2")
	h.servesAlone(haproxy)
	h.tells("environment: MODE: ")
	h.write(defaults, settings+"\n")
	h.start()
	if _, now := h.pids(); now == haproxy {
		t.Errorf("HAProxy %d was not taken over", now)
	}
	h.used(load, h.app("web"))
	lost(t, load)
	h.run("systemctl", "stop", unit)
	h.nothingRuns()
}

// systemd does not give up one that fails again and again.
func TestNeverGivenUp(t *testing.T) {
	t.Parallel()
	h := installed(t)
	a := h.app("web")
	h.dropIn("RestartSec=100ms")
	h.start()
	main, haproxy := h.pids()
	load := h.load("web")
	h.used(load, a)
	// Its query API's port will be taken.
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

// A stop that meets it between a crash and the next start leaves HAProxy serving,
// as README says, and systemd can end that too.
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
