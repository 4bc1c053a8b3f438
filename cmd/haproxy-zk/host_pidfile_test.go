package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "x.pid")
	remove, err := writePIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	self, lives := inspect(os.Getpid())
	if named, err := readPIDFile(path); err != nil || named != self || !lives || !named.alive() {
		t.Errorf("%+v, %v, want %+v", named, err, self)
	}
	if _, err := writePIDFile(path); err != nil {
		t.Errorf("written again: %v", err)
	}
	// Another one has the file now.
	if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	remove()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("another one's pid file was removed: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestForeignPIDFile(t *testing.T) {
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	for _, test := range []struct{ text, want string }{
		{"root:x:0:0::/root:/bin/sh\n", "is no pid file"},
		{"12 13 14\n", "is no pid file"},
		{"12\n13\n", "is no pid file of haproxy-zk"},
		{"-5\n", "is no pid file"},
		{"0\n", "is no pid file"},
		// As that of the seed's daemon.
		{fmt.Sprintln(other.Process.Pid), "is sleep and no haproxy-zk"},
	} {
		path := filepath.Join(t.TempDir(), "x.pid")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		h := &host{settings: &settings{RunDir: t.TempDir()}, pidFile: path}
		if _, err := h.find(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
		if _, err := writePIDFile(path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("written over %q: %v, want %q", test.text, err, test.want)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != test.text {
			t.Errorf("it was changed: %q, %v", text, err)
		}
	}
}

func TestPIDFileOfOneThatRuns(t *testing.T) {
	h := newHost(t, "ready")
	h.starts(t)
	if _, err := writePIDFile(h.pidFile); err == nil || !strings.Contains(err.Error(), "is running already") {
		t.Errorf("%v", err)
	}
}

func TestDaemonPIDFileIsToldOnce(t *testing.T) {
	t.Setenv(daemonVariable, "/x.pid")
	if got := daemonPIDFile(); got != "/x.pid" {
		t.Errorf("%q", got)
	}
	if got := daemonPIDFile(); got != "" {
		t.Errorf("again: %q", got)
	}
}

func TestEndedProcess(t *testing.T) {
	if p, lives := inspect(4194999); lives { // above the kernel's largest pid
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
