package main

import (
	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/daemon/host"
)

const stopHelp = `stop ends haproxy-zk and leaves HAProxy serving the instances that it has. The next
start takes it over without losing a request. With --haproxy, HAProxy is stopped
too: it finishes the running requests within stop_grace.

It returns when haproxy-zk has exited. If none is running, stop reports that and
succeeds; with --haproxy it ends an HAProxy left by a crash or an earlier stop.

Exit codes: 0 stopped, 1 failed.`

func newStop(s *settings) *cobra.Command {
	return hostCommand(s, &cobra.Command{
		Use:   "stop",
		Short: "stop haproxy-zk, leave HAProxy serving",
		Long:  stopHelp,
		Example: `  haproxy-zk stop
  haproxy-zk stop --haproxy --timeout 30s`,
	}, func(cmd *cobra.Command, h *host.Host, f *hostFlags) error {
		return h.Stop(cmd.Context(), cmd.OutOrStdout(), f.haproxy)
	})
}
