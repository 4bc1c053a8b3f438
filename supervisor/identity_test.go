package supervisor

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// startImpostor starts a process with HAProxy's arguments that executes a shell, wrapped
// in command, and waits until it runs.
func (s *stage) startImpostor(command ...string) *Child {
	s.t.Helper()
	args := append(command[1:], "-c", "sleep 1000 & echo > "+s.ConfFile+".up; wait", "haproxy", "-D", "-f", s.ConfFile, "-p", s.PIDFile)
	null, err := os.Open(os.DevNull)
	if err != nil {
		s.t.Fatal(err)
	}
	defer null.Close()
	child, err := s.Reaper.start(command[0], args, []*os.File{null, null, null})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = child.signalGroup(unix.SIGKILL)
		waitFor(s.t, "it ends", child.Done())
	})
	eventually(s.t, "it executes the shell", func() bool {
		_, err := os.Stat(s.ConfFile + ".up")
		return err == nil
	})
	if err := os.Remove(s.ConfFile + ".up"); err != nil {
		s.t.Fatal(err)
	}
	return child
}

// copied copies an executable to a name in its own directory, where every user can
// execute it.
func copied(t *testing.T, executable, name string) string {
	t.Helper()
	text, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "hz-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o755); err != nil { //nolint:gosec // it is executed
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // by another user
		t.Fatal(err)
	}
	return path
}

// as returns a command run as another user.
func as(uid int, command string) []string {
	return []string{"/usr/bin/setpriv", fmt.Sprintf("--reuid=%d", uid), "--clear-groups", command}
}

func TestProcessIsIdentifiedByRecordThenUserAndExecutable(t *testing.T) {
	loaders, err := filepath.Glob("/lib*/ld-linux*.so.*")
	if more, _ := filepath.Glob("/lib*/ld64.so.*"); err != nil || len(append(loaders, more...)) == 0 {
		t.Fatalf("no dynamic loader: %v", err)
	} else {
		loaders = append(loaders, more...)
	}
	never := func(t *testing.T) string { return copied(t, shell, "haproxy-2.4") }
	for _, test := range []struct {
		name      string
		command   func(t *testing.T) []string
		workerUID int
		recorded  bool
		change    func(t *testing.T, exe string)
		why       string // empty: it is HAProxy
	}{
		{name: "a shell with its arguments", command: func(*testing.T) []string { return []string{shell} }, why: "it executes "},
		{name: "an executable of that name", command: func(t *testing.T) []string { return []string{never(t)} }},
		{name: "an executable of that name, by another user", command: func(t *testing.T) []string { return as(nobody, never(t)) }, why: "it belongs to uid 65534"},
		{name: "an executable of that name, by the workers' user", command: func(t *testing.T) []string { return as(nobody, never(t)) }, workerUID: nobody},
		{name: "a shell, by the workers' user", command: func(*testing.T) []string { return as(nobody, shell) }, workerUID: nobody, why: "it executes "},
		{name: "another user than the workers'", command: func(t *testing.T) []string { return as(nobody-1, never(t)) }, workerUID: nobody, why: "it belongs to uid 65533"},
		{name: "one that was upgraded meanwhile", command: func(t *testing.T) []string { return []string{never(t)} }, change: func(t *testing.T, exe string) {
			if err := os.Remove(exe); err != nil {
				t.Error(err)
			}
		}},
		{name: "the dynamic loader of one", command: func(t *testing.T) []string { return []string{loaders[0], never(t)} }},
		{name: "the dynamic loader of a shell", command: func(*testing.T) []string { return []string{loaders[0], shell} }, why: "it executes "},
		{name: "a shell that is on record", command: func(*testing.T) []string { return []string{shell} }, recorded: true},
		{name: "a recorded process of another user", command: func(*testing.T) []string { return as(nobody, shell) }, recorded: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t, Options{WorkerUID: test.workerUID})
			for _, dir := range []string{filepath.Dir(s.dir), s.dir} {
				if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // other users work there
					t.Fatal(err)
				}
			}
			command := test.command(t)
			child := s.startImpostor(command...)
			if test.change != nil {
				test.change(t, command[len(command)-1])
			}
			if test.recorded {
				s.recordWorkers(&liveGeneration{workers: []*worker{{process: child, pid: child.PID}}})
				if got := Recorded(s.Record); !slices.Equal(got, []int{child.PID}) {
					t.Errorf("on record: %d", got)
				}
			}
			recorded, err := readRecord(s.Record)
			if err != nil {
				t.Fatal(err)
			}
			problem := s.verify(child.PID, recorded)
			if test.why == "" && problem != nil || test.why != "" && (problem == nil || !strings.Contains(problem.Error(), test.why)) {
				t.Errorf("%v, want %q", problem, test.why)
			}
			found := slices.Contains(s.earlierPIDs(), child.PID)
			if found != (test.why == "") {
				t.Errorf("found: %t", found)
			}
		})
	}
}

func TestRecordOfReusedPIDIsIgnored(t *testing.T) {
	s := newStage(t, Options{})
	child := s.startImpostor(shell)
	id, err := identify(child.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Record, fmt.Appendln(nil, id.pid, id.started-1), recordMode); err != nil {
		t.Fatal(err)
	}
	if got := s.earlierPIDs(); len(got) > 0 {
		t.Errorf("found %d", got)
	}
	if got := Recorded(s.Record); len(got) > 0 {
		t.Errorf("on record: %d", got)
	}
	if err := os.Chown(s.Record, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if _, err := readRecord(s.Record); err == nil {
		t.Error("another user's record is believed")
	}
}

// A process that looks like HAProxy, by its arguments or by a stale pid file, is left
// alone by start, reload and stop.
func TestImpostorIsLeftAloneAndReportedOnce(t *testing.T) {
	s := newStage(t, Options{})
	var printed bytes.Buffer
	s.Logger = slog.New(slog.NewTextHandler(&printed, nil))
	posing := s.startImpostor(shell)
	named, _ := held(t, s.Reaper, "read x <&3; exit 5")
	s.writePIDFile(posing.PID, named.PID)
	s.begin()
	pids := s.reload("")
	if got := s.launched(); len(got) != 5 {
		t.Errorf("the launch was %q", got)
	}
	if written, err := readPIDs(s.PIDFile); err != nil || !slices.Equal(written, pids) {
		t.Errorf("workers %d, pid file %d, %v", pids, written, err)
	}
	if got := Recorded(s.Record); !slices.Equal(got, pids) {
		t.Errorf("workers %d, on record %d", pids, got)
	}
	s.reload("")
	if err := s.end(); err != nil {
		t.Error(err)
	}
	for _, c := range []*Child{posing, named} {
		if c.ended() {
			t.Errorf("process %d was ended: %s", c.PID, describe(c.Status()))
		}
		if n := strings.Count(printed.String(), fmt.Sprintf("pid=%d ", c.PID)); n != 1 {
			t.Errorf("process %d is reported %d times:\n%s", c.PID, n, printed.String())
		}
	}
	if _, err := os.Lstat(s.Record); !os.IsNotExist(err) {
		t.Errorf("the record still exists: %v", err)
	}
}
