package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is a process with what tells it from a later one that gets its pid.
type process struct {
	pid int
	// started is when, in clock ticks since boot; empty is not known.
	started string
}

const endPoll = 10 * time.Millisecond

// inspect returns the process that has the pid now; false when there is none,
// or only its exit status is left.
func inspect(pid int) (process, bool) {
	stat, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return process{}, false
	}
	// `pid (comm) state …` of proc_pid_stat(5), where comm may hold anything;
	// the start time is field 22.
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return process{}, false
	}
	return process{pid, fields[19]}, true
}

// alive tells whether it has not ended.
func (p process) alive() bool {
	now, lives := inspect(p.pid)
	return lives && now == p
}

// now returns the process itself if it is a haproxy-zk that runs, and nothing
// when it has ended. A process that was written down without its start time is
// an error when its pid is some other program's: it may be what was meant.
func (p process) now() (process, error) {
	if p.pid == 0 {
		return process{}, nil
	}
	now, lives := inspect(p.pid)
	exe := program(p.pid)
	self := program(os.Getpid())
	switch {
	case !lives:
		return process{}, nil
	case p.started == "" && exe == "":
		return process{}, fmt.Errorf("process [%d] is another user's, and the file does not tell whether it was meant: remove it, or name another with --pid-file", p.pid)
	case p.started == "" && exe != self:
		return process{}, fmt.Errorf("process [%d] is %s and no haproxy-zk: stop it, or remove the file, or name another with --pid-file", p.pid, exe)
	case p.started != "" && (p.started != now.started || exe != "" && exe != self):
		return process{}, nil
	}
	return now, nil
}

// program returns the name of a process's executable, without its folder, which
// another version may have as its own; empty when it may not be looked at.
func program(pid int) string {
	path, err := os.Readlink(procPath(pid, "exe"))
	if err != nil {
		return ""
	}
	return filepath.Base(strings.TrimSuffix(path, " (deleted)"))
}

// ended waits until the process has ended; its error is that of ctx.
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

// signal sends a signal to this process and no other one that got its pid.
func (p process) signal(sig os.Signal) error {
	handle, err := os.FindProcess(p.pid) // a pidfd, where the kernel has them
	if err != nil {
		return err
	}
	defer func() { _ = handle.Release() }() // it fails for none that was found
	if !p.alive() {
		return os.ErrProcessDone
	}
	return handle.Signal(sig)
}

func procPath(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}
