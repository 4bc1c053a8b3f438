package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// exitStopped is what init scripts expect of status when nothing runs (LSB).
const exitStopped = 3

func newStatus(s *settings) *cobra.Command {
	h := &host{settings: s}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "tell whether it runs, and how it goes",
		Long:  "status tells whether haproxy-zk runs on this host, and what /readyz answers.\n\nExit codes: 0 it runs, 3 it does not.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := h.places(); err != nil {
				return err
			}
			return h.status(cmd.Context(), cmd.OutOrStdout())
		},
	}
	h.flagPIDFile(cmd)
	return cmd
}

func (h *host) status(ctx context.Context, out io.Writer) error {
	running, err := h.find(ctx)
	if err != nil {
		return err
	}
	if running.pid == 0 {
		text := "stopped"
		if running.stale {
			text += " (" + h.pidFile + " is stale)"
		}
		if _, err := fmt.Fprintln(out, text); err != nil {
			return err
		}
		return exitError{code: exitStopped}
	}
	text := fmt.Sprintf("process [%d] is running\n", running.pid)
	if ready, err := ask(ctx, h.settings.HTTPAddr, "/readyz"); err != nil {
		text += fmt.Sprintf("it does not answer: %v\n", err)
	} else {
		text += strings.TrimSpace(string(ready.body)) + "\n"
	}
	_, err = io.WriteString(out, text)
	return err
}
