package main

import "github.com/spf13/cobra"

const statusHelp = `status shows whether haproxy-zk is running on this host, what /readyz answers, and
why the configuration was rejected when it was last read, until one is accepted.
After a stop or a crash it names the HAProxy processes that still serve, with
the instances that they had.

Exit codes: 0 haproxy-zk is running, 3 it is not, whether HAProxy still serves or
not.`

func newStatus(s *settings) *cobra.Command {
	var f hostFlags
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "show whether haproxy-zk is running and ready",
		Long:    statusHelp,
		Example: `  haproxy-zk status || haproxy-zk start`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := f.host(s)
			if err != nil {
				return err
			}
			return h.Status(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f.declare(cmd)
	return cmd
}
