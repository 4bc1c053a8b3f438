package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/control"
)

// daemonVariable names the pid file to the process that start makes.
const daemonVariable = "HAPROXY_ZK_DAEMON"

// exitError ends a command with an exit code of its own. Without text there is
// nothing to print.
type exitError struct {
	code int
	text string
}

func (e exitError) Error() string { return e.text }

// daemonPIDFile is the pid file that start wants written, empty in a process
// that start did not make. HAProxy, which gets the environment, is not told: it
// has to be called before any child is started, and gives its answer once.
func daemonPIDFile() string {
	path := os.Getenv(daemonVariable)
	_ = os.Unsetenv(daemonVariable) // it fails for no name that is one
	return path
}

// controlSocket is where run listens and the commands ask.
func controlSocket(s settings) string { return filepath.Join(s.RunDir, control.Socket) }

// host is what start, stop, restart and status work on: at most one haproxy-zk,
// known by its pid file, else by its control socket.
type host struct {
	settings *settings
	pidFile  string
	logFile  string
	// patience is how long a haproxy-zk may take to end.
	patience time.Duration
	// executable is what start runs: this program but in tests.
	executable string
}

func (h *host) flagPIDFile(cmd *cobra.Command) {
	cmd.Flags().StringVar(&h.pidFile, "pid-file", "", "pid file of haproxy-zk (default RUN_DIR/haproxy-zk.pid)")
}

func (h *host) flagLogFile(cmd *cobra.Command) {
	cmd.Flags().StringVar(&h.logFile, "log-file", "", "what haproxy-zk logs is appended here (default RUN_DIR/haproxy-zk.log)")
}

func (h *host) flagPatience(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&h.patience, "timeout", time.Minute, "how long the end may take")
}

// places fills in the paths that were not given, and makes all of them absolute.
func (h *host) places() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	h.executable = self
	for path, name := range map[*string]string{&h.pidFile: "haproxy-zk.pid", &h.logFile: "haproxy-zk.log"} {
		if *path == "" {
			*path = filepath.Join(h.settings.RunDir, name)
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	return nil
}

// found is what runs on the host.
type found struct {
	process // pid 0: nothing runs
	// stale is true when the pid file names a process that has ended.
	stale bool
}

// find looks for the haproxy-zk that runs.
func (h *host) find(ctx context.Context) (found, error) {
	named, err := readPIDFile(h.pidFile)
	if err != nil {
		return found{}, err
	}
	now, err := named.now()
	if err != nil {
		return found{}, fmt.Errorf("pid file %s: %w", h.pidFile, err)
	}
	if now.pid > 0 {
		return found{process: now}, nil
	}
	stale := named.pid > 0
	// run makes no pid file by itself, and one may have been removed.
	pid, err := control.NewClient(controlSocket(*h.settings)).PID(ctx)
	if errors.Is(err, control.ErrNobody) {
		return found{stale: stale}, nil
	}
	if err != nil {
		return found{}, err
	}
	p, _ := inspect(pid)
	return found{process: p, stale: stale}, nil
}
