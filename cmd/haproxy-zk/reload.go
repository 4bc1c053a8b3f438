package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

const reloadHelp = `reload makes the running haproxy-zk read its configuration, its template and its
files of secrets again, as SIGHUP does, and waits for the result. It asks over
RUN_DIR/control.sock; the daemon reads the file that it was started with, whatever
--config says here.

It returns once HAProxy has accepted the configuration of every proxy (haproxy -c)
and the proxies have taken it over, after two minutes at most. It does not wait for
what follows: reloads of HAProxy, starts of new proxies and stops of removed ones.
/readyz and the log show their results.

A configuration that is rejected changes nothing. It stays visible in /readyz, in
status and in haproxyzk_config_last_reload_successful until one is accepted.

Exit codes: 0 in effect; 1 no answer, or a cause that may pass; 2 invalid, with every
error.`

func newReload(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "read the configuration again and wait for the result",
		Long:  reloadHelp,
		Example: `  haproxy-zk check && haproxy-zk reload
  docker exec haproxy-zk haproxy-zk reload`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, side := screenOf(cmd)
			stop := side.Progress("waiting for HAProxy to accept the configuration")
			summary, err := control.NewClient(control.Path(s.RunDir)).Reload(cmd.Context())
			stop()
			if errors.Is(err, control.ErrInvalid) {
				return exitcode.NewUsageError(err)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "the configuration is in effect; "+summary)
			return err
		},
	}
}
