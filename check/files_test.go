package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/config"
)

func TestCheckFilesLeavesNoFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		conf string
		want string
	}{
		{filepath.Join(dir, "x.cfg"), ""},
		{filepath.Join(dir, "not", "yet", "there", "x.cfg"), ""},
		{filepath.Join(file, "x.cfg"), "not a directory"},
		{filepath.Join(file, "below", "x.cfg"), "not a directory"},
		{"/proc/nowhere/x.cfg", "/proc"},
		{dir, "is a folder"},
	} {
		p := config.Proxy{Name: "web", ConfFile: test.conf, PIDFile: filepath.Join(dir, "pid"), SocketFiles: []string{filepath.Join(dir, "s")}}
		found := checkFiles(p)
		switch {
		case test.want == "" && len(found) > 0,
			test.want != "" && (len(found) != 1 || found[0].Where != "web.conf_file" || found[0].Severity != isError || !strings.Contains(found[0].Text, test.want)):
			t.Errorf("%s: %+v, want %q", test.conf, found, test.want)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestJudgeLimit(t *testing.T) {
	for _, test := range []struct {
		wanted, needed, hard uint64
		raisable             bool
		want                 string
	}{
		{1000, 600, 1000, false, ""},
		{1000, 600, 999, true, ""},
		{1000, 600, 999, false, isWarning},
		{1000, 600, 600, false, isWarning},
		{1000, 600, 599, false, isError},
	} {
		got := ""
		for _, f := range judgeLimit(config.Proxy{Name: "web"}, test.wanted, test.needed, test.hard, test.raisable) {
			got += f.Severity
		}
		if got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

func TestRunning(t *testing.T) {
	dir := t.TempDir()
	p := config.Proxy{Name: "web", ConfFile: "/nowhere/web.cfg", PIDFile: filepath.Join(dir, "pid")}
	if r := runningOf(p); len(r.pids) > 0 || r.locked || len(r.note(p)) > 0 {
		t.Errorf("nothing runs: %+v", r)
	}
	// This live process was not started with the proxy's files at first, and then it
	// was.
	if err := os.WriteFile(p.PIDFile, fmt.Appendf(nil, "%d\nodd\n1\n", os.Getpid()), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := runningOf(p); len(r.pids) > 0 {
		t.Errorf("another process has the pid: %+v", r)
	}
	p.ConfFile = os.Args[0]
	r := runningOf(p)
	if len(r.pids) != 1 || r.pids[0] != os.Getpid() || len(r.note(p)) != 1 {
		t.Errorf("it runs: %+v", r)
	}

	held, err := os.Create(p.PIDFile + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if runningOf(p).locked {
		t.Error("the lock is free")
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatalf("check kept the lock: %v", err)
	}
	if r := runningOf(p); !r.locked || r.note(p)[0].Severity != isNote {
		t.Errorf("the lock is held: %+v", r)
	}
}
