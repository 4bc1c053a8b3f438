package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/query"
)

// daemonVariable passes the pid file to the process that Start creates.
const daemonVariable = "_HAPROXY_ZK_DAEMON"

// TakePIDFile returns the pid file that Start wants written; it is empty in a process
// not created by Start. It removes the variable, so that HAProxy does not inherit it:
// call it once, before any child is started.
func TakePIDFile() string {
	path := os.Getenv(daemonVariable)
	_ = os.Unsetenv(daemonVariable) // fails only for an invalid name
	return path
}

// Options identify the haproxy-zk.
type Options struct {
	// RunDir, HTTPAddr and StartWait are the settings of the running haproxy-zk; StartWait
	// is how long HAProxy's start waits for ZooKeeper.
	RunDir, HTTPAddr string
	StartWait        time.Duration
	// HTTPFiles are those of its HTTP port.
	HTTPFiles query.AccessFiles
	// PIDFile and LogFile default to files in RunDir. They are made absolute.
	PIDFile, LogFile string
	// Patience is how long a haproxy-zk may take to stop.
	Patience time.Duration
	// Executable is what Start runs; empty means this program.
	Executable string
	// Configuration reads the configuration, with its warnings. It names the HAProxys
	// that may be running if no record does.
	Configuration func() (*config.Config, []config.Problem, error)
	Logger        *slog.Logger
}

// Host implements start, stop, restart and status for at most one haproxy-zk, found by
// its pid file or else by its control socket. Its methods block until they are done,
// and belong to one goroutine. An error is an [exitcode.Error] if the started
// haproxy-zk determines the exit code.
type Host struct{ opts Options }

// New returns the host of these options. It does not look for a running haproxy-zk yet.
func New(o Options) (*Host, error) {
	if o.Executable == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		o.Executable = self
	}
	for path, name := range map[*string]string{&o.PIDFile: "haproxy-zk.pid", &o.LogFile: "haproxy-zk.log"} {
		if *path == "" {
			*path = filepath.Join(o.RunDir, name)
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return nil, err
		}
		*path = absolute
	}
	return &Host{o}, nil
}

// found is what is running on the host.
type found struct {
	process // pid 0: nothing is running
	// stale is true if the pid file names a process that has ended, or whose pid
	// another program has now.
	stale bool
}

// find looks for a running haproxy-zk.
func (h *Host) find(ctx context.Context) (found, error) {
	named, err := readPIDFile(h.opts.PIDFile)
	if err != nil {
		return found{}, err
	}
	now, err := named.now()
	if err != nil {
		return found{}, fmt.Errorf("pid file %s: %w", h.opts.PIDFile, err)
	}
	if now.pid > 0 {
		return found{process: now}, nil
	}
	stale := named.pid > 0
	// run writes no pid file by default, and the file may have been removed.
	pid, err := control.NewClient(control.Path(h.opts.RunDir)).PID(ctx)
	if errors.Is(err, control.ErrNotRunning) {
		return found{stale: stale}, nil
	}
	if err != nil {
		return found{}, err
	}
	p, _ := inspect(pid)
	return found{process: p, stale: stale}, nil
}
