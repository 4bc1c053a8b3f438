package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	startPoll = 50 * time.Millisecond
	// After START_WAIT HAProxy starts with what is known; so much more is for
	// HAProxy's own start.
	startMargin = 5 * time.Second
	// A process that has not answered by then is told to be in trouble.
	startLimit = 30 * time.Second
	maxTail    = 4 << 10
)

const startHelp = `start runs haproxy-zk in the background: with the same flags as run, in a
session of its own, logging to --log-file. An HAProxy that an earlier stop left
serving is taken over without a lost request.

It returns when haproxy-zk is ready (/readyz). While ZooKeeper is away it returns
5 s after START_WAIT, and says so. When haproxy-zk ends before, start fails with
what it logged and its exit code. Where haproxy-zk runs already, start says so
and succeeds.`

func newStart(s *settings) *cobra.Command {
	h := &host{settings: s}
	cmd := &cobra.Command{
		Use:   "start",
		Short: "run in the background",
		Long:  startHelp,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := h.places(); err != nil {
				return err
			}
			return h.start(cmd.Context(), cmd.OutOrStdout(), runArgs(cmd))
		},
	}
	h.flagPIDFile(cmd)
	h.flagLogFile(cmd)
	return cmd
}

// runArgs are the arguments of a run with the flags that cmd was given.
func runArgs(cmd *cobra.Command) []string {
	args := []string{"run"}
	cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			args = append(args, "--"+f.Name+"="+f.Value.String())
		}
	})
	return args
}

// start starts the process and waits until it serves.
func (h *host) start(ctx context.Context, out io.Writer, args []string) error {
	running, err := h.find(ctx)
	if err != nil {
		return err
	}
	if running.pid > 0 {
		_, err := fmt.Fprintf(out, "process [%d] is running already\n", running.pid)
		return err
	}
	log, begin, err := h.openLog()
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(h.executable, args...)
	cmd.Env = append(os.Environ(), daemonVariable+"="+h.pidFile)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start haproxy-zk: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	text, err := h.serving(ctx, cmd.Process.Pid, ended)
	if exit, isExit := errors.AsType[*exec.ExitError](err); isExit || errors.Is(err, errEndedEarly) {
		reason := errEndedEarly.Error()
		code := exitFailed
		if isExit {
			reason = exit.Error()
			code = max(exit.ExitCode(), exitFailed)
		}
		return exitError{code, fmt.Sprintf("haproxy-zk did not start: %s; %s ends:\n%s", reason, h.logFile, h.tail(begin))}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

var errEndedEarly = errors.New("it ended by itself")

// serving waits until the process serves and returns what there is to say of it.
func (h *host) serving(ctx context.Context, pid int, ended <-chan error) (string, error) {
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	begun := time.Now()
	for {
		// Before it has written its pid file another process may be the one
		// that answers on its address.
		named, err := readPIDFile(h.pidFile)
		if err == nil && named.pid == pid && named.alive() {
			ready, err := ask(ctx, h.settings.HTTPAddr, "/readyz")
			switch {
			case err == nil && ready.code == http.StatusOK:
				return fmt.Sprintf("process [%d] is running", pid), nil
			case err == nil && time.Since(begun) > h.settings.StartWait+startMargin:
				return fmt.Sprintf("process [%d] is running, but not ready yet; it goes on trying: %s", pid, strings.TrimSpace(string(ready.body))), nil
			}
		}
		if time.Since(begun) > h.settings.StartWait+startLimit {
			return "", fmt.Errorf("process [%d] is running, but does not answer on %s; %s may tell why", pid, h.settings.HTTPAddr, h.logFile)
		}
		select {
		case err := <-ended:
			if err == nil {
				err = errEndedEarly
			}
			return "", err
		case <-ctx.Done():
			return "", ctx.Err()
		case <-tick.C:
		}
	}
}

// openLog opens the log file at its end, which it returns too.
func (h *host) openLog() (*os.File, int64, error) {
	if err := os.MkdirAll(filepath.Dir(h.logFile), 0o755); err != nil {
		return nil, 0, fmt.Errorf("make the log file's folder: %w", err)
	}
	log, err := os.OpenFile(h.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return nil, 0, fmt.Errorf("open the log file: %w", err)
	}
	info, err := log.Stat()
	if err != nil {
		log.Close()
		return nil, 0, fmt.Errorf("open the log file: %w", err)
	}
	return log, info.Size(), nil
}

// tail returns the last lines that were logged from begin on.
func (h *host) tail(begin int64) string {
	log, err := os.Open(h.logFile)
	if err != nil {
		return err.Error()
	}
	defer log.Close()
	if info, err := log.Stat(); err == nil {
		begin = max(begin, info.Size()-maxTail)
	}
	text, err := io.ReadAll(io.NewSectionReader(log, begin, maxTail))
	if err != nil {
		return err.Error()
	}
	return strings.TrimRight(string(text), "\n")
}
