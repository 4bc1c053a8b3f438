package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/haproxy-zk/haproxy-zk/daemon/host"
)

const startHelp = `start runs haproxy-zk in the background, with the flags of run, in a session of its
own, logging to --log-file. It takes over an HAProxy that an earlier stop or a crash
left serving, without losing a request.

It returns when haproxy-zk is ready (/readyz). If ZooKeeper is unreachable, it
returns 5 s after START_WAIT and reports that. If haproxy-zk exits first, start fails
with its log and its exit code. If haproxy-zk is already running, start reports that
and succeeds.

Exit codes: 0 running; otherwise that of run: 1 failed, 2 bad usage or configuration.`

func newStart(s *settings) *cobra.Command {
	return hostCommand(s, &cobra.Command{
		Use:   "start",
		Short: "run in the background",
		Long:  startHelp,
		Example: `  haproxy-zk start --config /etc/haproxy-zk/config.json
  haproxy-zk start --http-addr 127.0.0.1:21000 --log-file /var/log/haproxy-zk.log`,
	}, func(cmd *cobra.Command, h *host.Host, _ *hostFlags) error {
		return h.Start(cmd.Context(), cmd.OutOrStdout(), runArgs(cmd))
	})
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
