package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is a process, distinguished from a later one with the same pid.
type process struct {
	pid int
	// started is its start time in clock ticks since boot; empty if unknown.
	started string
}

const endPoll = 10 * time.Millisecond

// inspect returns the process that has the pid now; false if there is none or it is a
// zombie.
func inspect(pid int) (process, bool) {
	stat, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return process{}, false
	}
	// `pid (comm) state …` of proc_pid_stat(5), where comm may contain anything; the
	// start time is field 22.
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return process{}, false
	}
	return process{pid, fields[19]}, true
}

// alive reports whether the process has not ended.
func (p process) alive() bool {
	now, lives := inspect(p.pid)
	return lives && now == p
}

// now returns the process itself if it is a running haproxy-zk, and the zero process if
// it has ended or is another program: a pid file survives a crash, and its pid may have
// been reused. The Python daemon of the same name is an error, since it manages the
// same HAProxy.
func (p process) now() (process, error) {
	if p.pid == 0 {
		return process{}, nil
	}
	now, lives := inspect(p.pid)
	if !lives || p.started != "" && p.started != now.started {
		return process{}, nil
	}
	exe, self := program(p.pid), program(os.Getpid())
	// The executable of another user's process may be unreadable.
	if exe == self || exe == "" && p.started != "" {
		return now, nil
	}
	script := script(p.pid)
	switch {
	case exe == "" && script == self:
		return process{}, fmt.Errorf("process [%d] seems to be another user's haproxy-zk: stop it as that user, or name another file with --pid-file", p.pid)
	case strings.HasPrefix(script, "haproxy-zk") || strings.HasPrefix(script, "web-pzdaemon"):
		return process{}, fmt.Errorf("process [%d] is %s: stop it first", p.pid, script)
	}
	return process{}, nil
}

// script returns the base name of what a process executes by its command line: an
// interpreter's first argument that is not an option, or else its own name. It is empty
// for a process without a command line.
func script(pid int) string {
	text, err := os.ReadFile(procPath(pid, "cmdline"))
	if err != nil {
		return ""
	}
	args := strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
	name := filepath.Base(args[0])
	if !strings.HasPrefix(name, "python") {
		return name
	}
	for _, arg := range args[1:] {
		if !strings.HasPrefix(arg, "-") {
			return filepath.Base(arg)
		}
	}
	return name
}

// program returns the base name of a process's executable, which another version of
// haproxy-zk shares; empty if it is unreadable.
func program(pid int) string {
	path, err := os.Readlink(procPath(pid, "exe"))
	if err != nil {
		return ""
	}
	return filepath.Base(strings.TrimSuffix(path, " (deleted)"))
}

// ended waits until the process has ended, or returns the error of ctx.
func (p process) ended(ctx context.Context) error {
	tick := time.NewTicker(endPoll)
	defer tick.Stop()
	for p.alive() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// signal sends a signal to this process, and never to another one that reuses its pid.
func (p process) signal(sig os.Signal) error {
	handle, err := os.FindProcess(p.pid) // a pidfd, if the kernel supports it
	if err != nil {
		return err
	}
	defer func() { _ = handle.Release() }() // cannot fail for a process that was found
	if !p.alive() {
		return os.ErrProcessDone
	}
	return handle.Signal(sig)
}

func procPath(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}
