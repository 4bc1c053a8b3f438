package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/check"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

const checkHelp = `check validates the configuration, the template and the host without starting
anything. It runs HAProxy on the rendered configuration (haproxy -c), and checks
directories, ports and the limit of open files. Run it as the user and with the
limits that haproxy-zk has.

Each finding has a severity (error, warning or note), a place and a remedy. Nothing
that is running is touched: ports of an HAProxy or haproxy-zk that already runs with
this configuration are not reported as taken.

With --online it also reads the groups and their registrations from ZooKeeper.

Exit codes: 0 no errors; 2 errors, or warnings with --strict.`

func newCheck(s *settings) *cobra.Command {
	var strict, online bool
	var output string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "validate configuration, template and host without starting anything",
		Long:  checkHelp,
		Example: `  haproxy-zk check --config /etc/haproxy-zk/config.json
  haproxy-zk check --online --strict --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write := (*check.Findings).WriteText
			switch output {
			case "text":
			case "json":
				write = (*check.Findings).WriteJSON
			default:
				return exitcode.NewUsageError(fmt.Errorf("--output %q: must be text or json", output))
			}
			ctx, release := untilStopped(cmd.Context())
			defer release()
			return s.withReaper(cmd, func(reaper *supervisor.Reaper) error {
				found := check.Run(ctx, s.checkOptions(reaper, online), s.configuration)
				if ctx.Err() != nil {
					return errStopped
				}
				if err := write(found, cmd.OutOrStdout()); err != nil {
					return err
				}
				return found.Verdict(strict)
			})
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "treat warnings as errors")
	cmd.Flags().BoolVar(&online, "online", false, "also query ZooKeeper (a few seconds per proxy)")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "format of the findings: text or json")
	complete(cmd, "output", "text", "json")
	return cmd
}

func (s *settings) checkOptions(reaper *supervisor.Reaper, online bool) check.Options {
	addrs, variables := s.AllHTTPAddrs()
	return check.Options{
		HTTPAddrs: addrs, HTTPVariables: variables, Access: s.checkAccess, LogListen: s.LogListen, RunDir: s.RunDir, StateDir: s.StateDir, AccessLog: s.AccessLog,
		Online: online, Reaper: reaper,
	}
}
