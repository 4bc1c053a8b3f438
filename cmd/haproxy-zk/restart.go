package main

import (
	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/daemon/host"
)

const restartHelp = `restart replaces the running haproxy-zk, so that a new configuration, template or
executable takes effect. HAProxy serves throughout, also with --haproxy.

The successor is tried first: configuration, template, haproxy -c, directories and
ports. If it would not start, restart fails with the reason and with the exit code
that start would have, and the running haproxy-zk is not touched.

Exit codes: those of start.`

func newRestart(s *settings) *cobra.Command {
	return hostCommand(s, &cobra.Command{
		Use:     "restart",
		Short:   "replace the running haproxy-zk while HAProxy serves",
		Long:    restartHelp,
		Example: `  haproxy-zk restart --config /etc/haproxy-zk/config.json`,
	}, func(cmd *cobra.Command, h *host.Host, _ *hostFlags) error {
		return h.Restart(cmd.Context(), cmd.OutOrStdout(), runArgs(cmd))
	})
}
