package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
)

// earlier starts an HAProxy as an earlier haproxy-zk may have left it. That its
// processes are children of the test makes no difference to a pidfd.
func (s *stage) earlier(config string) []int {
	s.t.Helper()
	return s.earlierBy(config, s.Exec)
}

// earlierBy is earlier with a wrapper command.
func (s *stage) earlierBy(config string, command ...string) []int {
	s.t.Helper()
	if err := os.WriteFile(s.ConfFile, []byte(config), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.Reaper.Output(s.t.Context(), command[0], append(command[1:], "-D", "-f", s.ConfFile, "-p", s.PIDFile)...); err != nil {
		s.t.Fatal(err)
	}
	pids, err := readPIDs(s.PIDFile)
	if err != nil {
		s.t.Fatal(err)
	}
	return pids
}

// writePIDFile writes pids to the pid file.
func (s *stage) writePIDFile(pids ...int) {
	s.t.Helper()
	var text bytes.Buffer
	for _, pid := range pids {
		fmt.Fprintln(&text, pid)
	}
	if err := os.WriteFile(s.PIDFile, text.Bytes(), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// launches returns the additional arguments of each launch after the first, which was
// that of the earlier HAProxy.
func (s *stage) launches() []string {
	s.t.Helper()
	var launches []string
	usual := fmt.Sprintf("-D -f %s -p %s", s.ConfFile, s.PIDFile)
	for _, call := range s.lines("calls") {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(call), usual); ok {
			launches = append(launches, strings.TrimSpace(rest))
		}
	}
	return launches[1:]
}

func sf(pids ...int) string {
	return "-sf " + strings.Trim(fmt.Sprint(pids), "[]")
}

func (s *stage) launchesAre(want ...string) {
	s.t.Helper()
	if got := s.launches(); !slices.Equal(got, want) {
		s.t.Errorf("the launches were %q, want %q", got, want)
	}
}

func TestTakeover(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("workers 2 busy")
	// The pid file contains a foreign process, and a pid without a process.
	foreign, release := held(t, s.Reaper, "read x <&3; exit 5")
	ended, _ := held(t, s.Reaper, "exit 0")
	waitFor(t, "a process ends", ended.Done())
	s.writePIDFile(foreign.PID, old[0], ended.PID, old[1])

	s.begin()
	outcome := s.startReload(t.Context(), "silent")
	var next []int
	eventually(t, "the new worker runs", func() bool {
		next, _ = readPIDs(s.PIDFile)
		return len(next) == 1 && slices.Equal(children(t), slices.Sorted(slices.Values(slices.Concat(old, next, []int{foreign.PID}))))
	})
	s.assertNotSignaled(old...)
	s.answer(next...)
	if got := s.await(outcome); got.err != nil || !slices.Equal(got.pids, next) {
		t.Fatalf("Reload: %d, %v", got.pids, got.err)
	}
	if got := s.launches(); len(got) != 1 || got[0] != "-x "+socketOf(s.dir, old[0]) && got[0] != "-x "+socketOf(s.dir, old[1]) {
		t.Errorf("the launches were %q", got)
	}
	for _, pid := range old {
		eventually(t, "the old workers are asked to finish", func() bool { return slices.Contains(s.signals(pid), "SIGUSR1") })
	}
	s.generationsAre(next, old)
	kill(t, old[0], unix.SIGUSR2)
	s.generationsAre(next, old[1:])
	kill(t, old[1], unix.SIGUSR2)
	s.generationsAre(next)
	s.waitForMetric(2, "worker_exits_total", "drained")
	if len(s.Died()) > 0 {
		t.Error("the end of an earlier worker is reported as a death")
	}
	release()
	waitFor(t, "the foreign process ends", foreign.Done())
	if got := describe(foreign.Status()); got != "exit code 5" {
		t.Errorf("the foreign process ended with %s", got)
	}

	last := s.reload("")
	if got := s.launched()[5:]; !slices.Equal(got, []string{"-x", socketOf(s.dir, next[0])}) {
		t.Errorf("the launch after the takeover was with %q", got)
	}
	waitForChildren(t, last...)
}

// The previous daemon died during a reload, or while a generation was draining: the pid
// file is incomplete.
func TestTakeoverFindsWorkersMissingFromPIDFile(t *testing.T) {
	for _, named := range []int{0, 1} {
		t.Run(fmt.Sprint(named, " named"), func(t *testing.T) {
			s := newStage(t, Options{})
			s.takeOverUnlisted(s.earlier("workers 3"), named)
		})
	}
}

// systemd gives each start of a service its own mount namespace.
func TestTakeoverAcrossServiceRestart(t *testing.T) {
	needs.Namespaces(t)
	for _, named := range []int{0, 1} {
		t.Run(fmt.Sprint(named, " named"), func(t *testing.T) {
			unshare, err := exec.LookPath("unshare")
			if err != nil {
				t.Fatal(err)
			}
			s := newStage(t, Options{})
			s.takeOverUnlisted(s.earlierBy("workers 3", unshare, "--mount", s.Exec), named)
		})
	}
}

// takeOverUnlisted takes over from workers of which only the first few are in the pid
// file.
func (s *stage) takeOverUnlisted(old []int, named int) {
	s.t.Helper()
	s.writePIDFile(old[:named]...)
	s.begin()
	next := s.reload("workers 2")
	waitForChildren(s.t, next...)
	for _, pid := range old {
		if got := s.signals(pid); !slices.Equal(got, []string{"SIGUSR1"}) {
			s.t.Errorf("old worker %d got %q", pid, got)
		}
	}
	s.waitForMetric(float64(len(old)), "worker_exits_total", "drained")
}

func TestTakeoverWithoutListenerHandover(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("closed busy")
	s.begin()
	next := s.reload("workers 2")
	s.launchesAre("-x "+socketOf(s.dir, old[0]), sf(old...))
	s.generationsAre(next, old)
	s.finish(old[0])
	s.generationsAre(next)

	last := s.reload("")
	if got := s.launched()[5]; got != "-x" {
		t.Errorf("the launch after the takeover was with %q", got)
	}
	waitForChildren(t, last...)
}

func TestTakeoverFromSilentHAProxy(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("workers 2 silent busy")
	s.begin()
	next := s.reload("workers 2")
	s.launchesAre(sf(old...))
	s.generationsAre(next, old)
	for _, pid := range old {
		if slices.Contains(s.signals(pid), "SIGKILL") {
			t.Errorf("worker %d was killed", pid)
		}
	}
	s.finish(old...)
	s.generationsAre(next)
	waitForChildren(t, next...)
}

// Some of its sockets may be at paths that are no longer probed.
func TestTakeoverSparesSilentWorkerBesideAnsweringOne(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("workers 2 half-silent busy")
	s.begin()
	next := s.reload("")
	s.launchesAre("-x " + socketOf(s.dir, old[0]))
	s.generationsAre(next, old)
	s.finish(old...)
	s.generationsAre(next)
	s.waitForMetric(2, "worker_exits_total", "drained")
}

func TestTakeoverWithoutPidfd(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("workers 2")
	s.openForeignProcess = func(int) (*foreignProcess, error) { return nil, unix.ENOSYS }
	s.begin()
	next := s.reload("")
	s.launchesAre(sf(old...))
	waitForChildren(t, next...)
	s.generationsAre(next)
}

// Processes that cannot be watched are asked to finish all the same.
func TestTakeoverDrainsUnwatchedProcesses(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("workers 2")
	s.openForeignProcess = func(pid int) (*foreignProcess, error) {
		if pid == old[1] {
			return nil, unix.ENFILE
		}
		return openForeignProcess(pid)
	}
	s.begin()
	next := s.reload("workers 2")
	waitForChildren(t, next...)
	for _, pid := range old {
		if got := s.signals(pid); !slices.Equal(got, []string{"SIGUSR1"}) {
			t.Errorf("old worker %d got %q", pid, got)
		}
	}
	s.generationsAre(next)
}

func TestFailedTakeoverChangesNothing(t *testing.T) {
	for _, config := range []string{"refuse", "bind-fails", "no-pids", "workers 2 die-at-once"} {
		t.Run(config, func(t *testing.T) {
			s := newStage(t, Options{})
			old := s.earlier("workers 2")
			conf, pids := contents(t, s.ConfFile), contents(t, s.PIDFile)
			unchanged := func() {
				t.Helper()
				if got := contents(t, s.ConfFile); got != conf {
					t.Errorf("the configuration became %q", got)
				}
				if got := contents(t, s.PIDFile); got != pids {
					t.Errorf("the pid file became %q", got)
				}
				waitForChildren(t, old...)
			}
			s.begin()
			if _, err := s.try(t.Context(), config); err == nil {
				t.Error("no error")
			}
			unchanged()
			s.fails(errors.New("the proxy cannot start"))
			if err := s.end(); err != nil {
				t.Error(err)
			}
			unchanged()
			s.assertNotSignaled(old...)
			if launches := s.launches(); slices.ContainsFunc(launches, func(args string) bool { return strings.Contains(args, "-sf") }) {
				t.Errorf("the launches were %q", launches)
			}
			s.again().reload("")
		})
	}
}

func TestStopBeforeTakeoverEndsEarlierHAProxy(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("workers 2")
	s.begin()
	if err := s.end(); err != nil {
		t.Error(err)
	}
	waitForChildren(t)
	for _, pid := range old {
		if got := s.signals(pid); !slices.Equal(got, []string{"SIGUSR1"}) {
			t.Errorf("worker %d got %q", pid, got)
		}
	}
	if _, err := os.Stat(s.PIDFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the pid file: %v", err)
	}
}

// again returns the next haproxy-zk with the same files.
func (s *stage) again() *stage {
	s.t.Helper()
	next := newStage(s.t, Options{Reaper: s.Reaper})
	next.ConfFile, next.PIDFile, next.Record, next.Prober, next.dir = s.ConfFile, s.PIDFile, s.Record, s.Prober, s.dir
	next.begin()
	return next
}

func TestFailureBeforeTakeoverLeavesEarlierHAProxy(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("workers 2")
	s.Sockets = []string{socketOf(s.dir, old[0])}
	s.begin()
	s.fails(errors.New("another proxy cannot start"))
	if err := s.end(); err != nil {
		t.Error(err)
	}
	s.assertNotSignaled(old...)
	next := s.again()
	pids := next.reload("")
	if got := next.launches(); len(got) != 1 || !strings.HasPrefix(got[0], "-x ") {
		t.Errorf("the launches were %q", got)
	}
	waitForChildren(t, pids...)
}

func TestHardStopAfterTakeover(t *testing.T) {
	const after = 300 * time.Millisecond
	s := newStage(t, Options{HardStopAfter: after})
	s.earlier("workers 2 deaf")
	s.begin()
	begun := time.Now()
	next := s.reload("")
	waitForChildren(t, next...)
	if took := time.Since(begun); took < after {
		t.Errorf("the old workers were ended after %s", took)
	}
	s.waitForMetric(2, "worker_exits_total", "killed")
	s.generationsAre(next)
}

func TestStopAfterTakeoverEndsAllGenerations(t *testing.T) {
	s := newStage(t, Options{StopGrace: 100 * time.Millisecond})
	old := s.earlier("workers 2 stubborn")
	s.begin()
	next := s.reload("")
	s.generationsAre(next, old)
	if err := s.end(); err != nil {
		t.Error(err)
	}
	waitForChildren(t)
	if _, err := os.Stat(s.PIDFile); !os.IsNotExist(err) {
		t.Errorf("the pid file is there: %v", err)
	}
}

func TestForeignProcessesAreNotSignaled(t *testing.T) {
	s := newStage(t, Options{})
	foreign, _ := held(t, s.Reaper, "read x <&3; exit 5")
	s.writePIDFile(foreign.PID)
	s.begin()
	pids := s.reload("")
	if got := s.launched(); len(got) != 5 {
		t.Errorf("the launch was %q", got)
	}
	waitForChildren(t, append(pids, foreign.PID)...)
}

func TestEarlierHAProxyIsIdentifiedByArguments(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("workers 2")
	other := newStage(t, Options{Reaper: s.Reaper})
	theirs := other.earlier("")
	s.writePIDFile(theirs...)
	if got := s.earlierPIDs(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(old))) {
		t.Errorf("found %d, want %d", got, old)
	}
	s.ConfFile = filepath.Join(s.dir, "other.cfg")
	if got := s.earlierPIDs(); len(got) > 0 {
		t.Errorf("found %d with another configuration", got)
	}
	for _, pid := range slices.Concat(old, theirs) {
		kill(t, pid, unix.SIGTERM)
	}
}
