package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "x.pid")
	remove, err := WritePIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	self, lives := inspect(os.Getpid())
	if named, err := readPIDFile(path); err != nil || named != self || !lives || !named.alive() {
		t.Errorf("%+v, %v, want %+v", named, err, self)
	}
	if _, err := WritePIDFile(path); err != nil {
		t.Errorf("written again: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != fmt.Sprintln(os.Getpid()) {
		t.Errorf("the pid file is %q, not one number: %v", text, err)
	}
	// Another process has the file now.
	if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	remove()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("another one's pid file was removed: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 2 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestPIDFileIsReadWithItsStartTime(t *testing.T) {
	for name, test := range map[string]struct {
		file, start string
		want        process
	}{
		"as it is written":             {"12\n", "12 start=34\n", process{12, "34"}},
		"as earlier versions wrote it": {"12\nstart=34\n", "", process{12, "34"}},
		"of the Python daemon":         {"12\n", "", process{12, ""}},
		"beside that of another":       {"12\n", "13 start=34\n", process{12, ""}},
		"beside something else":        {"12\n", "root:x:0\n", process{12, ""}},
		"none, beside one that stayed": {"", "12 start=34\n", process{}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.pid")
			for file, text := range map[string]string{path: test.file, path + startSuffix: test.start} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := readPIDFile(path); err != nil || got != test.want {
				t.Errorf("%+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestOtherFileIsNotTakenForPIDFile(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"root:x:0:0::/root:/bin/sh\n", "is not a pid file"},
		{"12 13 14\n", "is not a pid file"},
		{"12\n13\n", "is not a pid file of haproxy-zk"},
		{"-5\n", "is not a pid file"},
		{"0\n", "is not a pid file"},
	} {
		h := pidFileOf(t, test.text)
		if _, err := h.find(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
		if _, err := WritePIDFile(h.opts.PIDFile); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("written over %q: %v, want %q", test.text, err, test.want)
		}
		if text, err := os.ReadFile(h.opts.PIDFile); err != nil || string(text) != test.text {
			t.Errorf("it was changed: %q, %v", text, err)
		}
	}
}

func pidFileOf(t *testing.T, text string) *Host {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pid")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Host{Options{RunDir: t.TempDir(), PIDFile: path}}
}

// runs starts a command that runs until the test ends.
func runs(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

// A crash leaves a pid file, whose pid may belong to another process later: the next
// start replaces the file.
func TestPIDFileOfAnotherProgramIsStale(t *testing.T) {
	theirs := exec.Command("sleep", "60")
	theirs.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	for name, pid := range map[string]int{
		"a program": runs(t, exec.Command("sleep", "60")), "another user's": runs(t, theirs), "process 1": 1,
	} {
		t.Run(name, func(t *testing.T) {
			h := pidFileOf(t, fmt.Sprintln(pid))
			if running, err := h.find(t.Context()); err != nil || running.pid != 0 || !running.stale {
				t.Errorf("%+v, %v", running, err)
			}
			remove, err := WritePIDFile(h.opts.PIDFile)
			if err != nil {
				t.Fatal(err)
			}
			if named, err := readPIDFile(h.opts.PIDFile); err != nil || named.pid != os.Getpid() {
				t.Errorf("%+v, %v", named, err)
			}
			remove()
		})
	}
}

func TestStartReplacesAStalePIDFileAndSaysSo(t *testing.T) {
	h := newHost(t, "ready")
	if err := os.WriteFile(h.opts.PIDFile, fmt.Appendln(nil, runs(t, exec.Command("sleep", "60"))), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := h.starts(t); !strings.Contains(got, h.opts.PIDFile+" is stale") || !strings.Contains(got, "is running") {
		t.Errorf("it says %q", got)
	}
	if running, err := h.find(t.Context()); err != nil || running.pid == 0 || running.stale {
		t.Errorf("%+v, %v", running, err)
	}
}

// The Python daemon of the same name manages the same HAProxy.
func TestPIDFileOfThePythonDaemonIsAnError(t *testing.T) {
	script := filepath.Join(t.TempDir(), "web-pzdaemon.py")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nread x\n"), 0o700); err != nil { //nolint:gosec // it is executed
		t.Fatal(err)
	}
	python := filepath.Join(t.TempDir(), "python3")
	if err := os.Symlink("/bin/sh", python); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, script, "start")
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	h := pidFileOf(t, fmt.Sprintln(runs(t, cmd)))
	if _, err := h.find(t.Context()); err == nil || !strings.Contains(err.Error(), "is web-pzdaemon.py: stop it first") {
		t.Errorf("%v", err)
	}
}

func TestHostFilesRejectForeignFiles(t *testing.T) {
	for name, set := range map[string]func(path, victim string) error{
		"symbolic link": func(path, victim string) error { return os.Symlink(victim, path) },
		"FIFO":          func(path, _ string) error { return syscall.Mkfifo(path, 0o666) },
		"another user's file": func(path, _ string) error {
			return errors.Join(os.WriteFile(path, nil, 0o666), os.Chown(path, 65534, 65534)) //nolint:gosec // it is another user's
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := pidFileOf(t, "")
			h.opts.LogFile = filepath.Join(h.opts.RunDir, "x.log")
			victim := filepath.Join(h.opts.RunDir, "victim")
			err := errors.Join(os.WriteFile(victim, []byte("precious"), 0o600), os.Remove(h.opts.PIDFile), set(h.opts.LogFile, victim), set(h.opts.PIDFile, victim))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := h.openLog(); err == nil || !strings.Contains(err.Error(), "remove it, or name another with --log-file") {
				t.Errorf("the log: %v", err)
			}
			remove, err := WritePIDFile(h.opts.PIDFile)
			if name == "another user's file" {
				if err != nil { // root may read it, and it is empty
					t.Fatal(err)
				}
				remove()
			} else if err == nil || !strings.Contains(err.Error(), "remove it, or name another with --pid-file") {
				t.Errorf("the pid file: %v", err)
			}
			if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
				t.Errorf("the victim has %q, %v", text, err)
			}
		})
	}
}

func TestPIDFileOfRunningDaemonIsKept(t *testing.T) {
	h := newHost(t, "ready")
	h.starts(t)
	if _, err := WritePIDFile(h.opts.PIDFile); err == nil || !strings.Contains(err.Error(), "is running already") {
		t.Errorf("%v", err)
	}
}

func TestDaemonPIDFileIsReturnedOnce(t *testing.T) {
	t.Setenv(daemonVariable, "/x.pid")
	if got := TakePIDFile(); got != "/x.pid" {
		t.Errorf("%q", got)
	}
	if got := TakePIDFile(); got != "" {
		t.Errorf("again: %q", got)
	}
}

func TestEndedProcess(t *testing.T) {
	if p, lives := inspect(4194999); lives { // above the kernel's highest pid
		t.Errorf("%+v", p)
	}
	p := process{pid: os.Getpid(), started: "0"}
	if p.alive() || p.ended(t.Context()) != nil || p.signal(os.Kill) != os.ErrProcessDone { //nolint:errorlint // as it is
		t.Error("an earlier process of this pid passes for one that lives")
	}
}

func FuzzReadPIDFile(f *testing.F) {
	f.Add("4711\nstart=8271828\n")
	f.Add("4711")
	f.Add("")
	path := filepath.Join(f.TempDir(), "x.pid")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := readPIDFile(path); p.pid < 0 || err != nil && p != (process{}) {
			t.Errorf("%+v, %v", p, err)
		}
	})
}
