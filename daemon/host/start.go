package host

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

	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/query"
)

const (
	startPoll = 50 * time.Millisecond
	// After START_WAIT HAProxy starts with the known instances; this much more is for
	// HAProxy's own start.
	startMargin = 5 * time.Second
	// A process that has not answered by then is reported as failing.
	startLimit = 30 * time.Second
	maxTail    = 4 << 10
)

// Start starts a haproxy-zk with these arguments, waits until it serves, and reports
// the result on out. If one is already running, that is success.
func (h *Host) Start(ctx context.Context, out io.Writer, args []string) error {
	running, err := h.find(ctx)
	if err != nil {
		return err
	}
	if running.pid > 0 {
		_, err := fmt.Fprintf(out, "process [%d] is running already\n", running.pid)
		return err
	}
	if running.stale {
		if _, err := fmt.Fprintf(out, "%s is stale, its process has ended or is another program: replacing it\n", h.opts.PIDFile); err != nil {
			return err
		}
	}
	log, begin, err := h.openLog()
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(h.opts.Executable, args...)
	cmd.Env = append(os.Environ(), daemonVariable+"="+h.opts.PIDFile)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start haproxy-zk: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	text, err := h.serving(ctx, cmd.Process.Pid, ended)
	if exit, isExit := errors.AsType[*exec.ExitError](err); isExit || errors.Is(err, errExitedEarly) {
		reason := errExitedEarly.Error()
		code := exitcode.Failed
		if isExit {
			reason = exit.Error()
			code = max(exit.ExitCode(), exitcode.Failed)
		}
		return exitcode.Error{Code: code, Text: fmt.Sprintf("haproxy-zk did not start: %s; %s ends:\n%s", reason, h.opts.LogFile, h.tail(begin))}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

var errExitedEarly = errors.New("it exited early")

// serving waits until the process serves and returns the text to report.
func (h *Host) serving(ctx context.Context, pid int, ended <-chan error) (string, error) {
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	begun := time.Now()
	for {
		// Before it has written its pid file, another process may be the one that
		// answers on its address.
		named, err := readPIDFile(h.opts.PIDFile)
		if err == nil && named.pid == pid && named.alive() {
			ready, err := query.NewClient(h.opts.HTTPAddr, h.opts.HTTPFiles).Get(ctx, "/readyz")
			switch {
			case err == nil && ready.Code == http.StatusOK:
				return fmt.Sprintf("process [%d] is running", pid), nil
			case err == nil && time.Since(begun) > h.opts.StartWait+startMargin:
				return fmt.Sprintf("process [%d] is running but not ready yet, still trying: %s", pid, strings.TrimSpace(string(ready.Body))), nil
			}
		}
		if time.Since(begun) > h.opts.StartWait+startLimit {
			return "", fmt.Errorf("process [%d] is running, but does not answer on %s; see %s", pid, h.opts.HTTPAddr, h.opts.LogFile)
		}
		select {
		case err := <-ended:
			if err == nil {
				err = errExitedEarly
			}
			return "", err
		case <-ctx.Done():
			return "", ctx.Err()
		case <-tick.C:
		}
	}
}

// openLog opens the log file for appending, and returns its current end.
func (h *Host) openLog() (*os.File, int64, error) {
	if err := os.MkdirAll(filepath.Dir(h.opts.LogFile), 0o755); err != nil {
		return nil, 0, fmt.Errorf("make the log file's folder: %w", err)
	}
	log, err := hostFiles().Open(h.opts.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return nil, 0, fmt.Errorf("open the log file: %w: remove it, or name another with --log-file", err)
	}
	info, err := log.Stat()
	if err != nil {
		log.Close()
		return nil, 0, fmt.Errorf("open the log file: %w", err)
	}
	return log, info.Size(), nil
}

// tail returns the last lines logged since begin.
func (h *Host) tail(begin int64) string {
	log, err := hostFiles().Open(h.opts.LogFile, os.O_RDONLY, 0)
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
