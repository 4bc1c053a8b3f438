package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/control"
)

const stopHelp = `stop ends haproxy-zk and leaves HAProxy serving with the instances that it has;
the next start takes it over without a lost request. With --haproxy, HAProxy is
stopped too: it finishes the running requests within stop_grace.

It returns when haproxy-zk has ended. Where none runs, stop says so and succeeds.`

func newStop(s *settings) *cobra.Command {
	h := &host{settings: s}
	var haproxy bool
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "end it, and leave HAProxy serving",
		Long:  stopHelp,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := h.places(); err != nil {
				return err
			}
			return h.stop(cmd.Context(), cmd.OutOrStdout(), haproxy)
		},
	}
	h.flagPIDFile(cmd)
	h.flagPatience(cmd)
	cmd.Flags().BoolVar(&haproxy, "haproxy", false, "stop HAProxy too")
	return cmd
}

// stop ends the process, and HAProxy if so asked, and waits for it.
func (h *host) stop(ctx context.Context, out io.Writer, haproxy bool) error {
	running, err := h.find(ctx)
	if err != nil {
		return err
	}
	if running.pid == 0 {
		text := "haproxy-zk is not running"
		if running.stale {
			text += "; its pid file was stale"
			_ = os.Remove(h.pidFile) // whoever starts next replaces it as well
		}
		if haproxy {
			text += "; an HAProxy that it left is stopped by start, then stop --haproxy"
		}
		_, err := fmt.Fprintln(out, text)
		return err
	}
	end, left := h.detach, "HAProxy goes on serving"
	if haproxy {
		end, left = func(_ context.Context, p process) error { return p.signal(syscall.SIGTERM) }, "and HAProxy with it"
	}
	if err := end(ctx, running.process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop process [%d]: %w", running.pid, err)
	}
	bounded, cancel := context.WithTimeout(ctx, h.patience)
	defer cancel()
	if err := running.ended(bounded); err != nil {
		return fmt.Errorf("process [%d] was told to end and has not within %s", running.pid, h.patience)
	}
	_, err = fmt.Fprintf(out, "process [%d] has ended, %s\n", running.pid, left)
	return err
}

func (h *host) detach(ctx context.Context, p process) error {
	c := control.NewClient(controlSocket(*h.settings))
	listening, err := c.PID(ctx)
	if err != nil {
		return err
	}
	if listening != p.pid {
		return fmt.Errorf("the control socket in %s is that of process [%d], not of the one in %s: --run-dir and --pid-file belong together", h.settings.RunDir, listening, h.pidFile)
	}
	return c.Detach(ctx)
}

func newRestart(s *settings) *cobra.Command {
	h := &host{settings: s}
	cmd := &cobra.Command{
		Use:   "restart",
		Short: "stop, then start",
		Long:  "restart is stop, then start: HAProxy serves all the time. A new configuration,\na new template or a new haproxy-zk takes effect.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := h.places(); err != nil {
				return err
			}
			if err := h.stop(cmd.Context(), cmd.OutOrStdout(), false); err != nil {
				return err
			}
			return h.start(cmd.Context(), cmd.OutOrStdout(), runArgs(cmd))
		},
	}
	h.flagPIDFile(cmd)
	h.flagLogFile(cmd)
	h.flagPatience(cmd)
	return cmd
}
