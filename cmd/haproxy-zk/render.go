package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/check"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

func newRender(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "render",
		Short: "print the HAProxy configuration",
		Long: `render prints the HAProxy configuration as run writes it while no instance is
registered, and the files of maps as comments. The output contains the secrets of the
template.

Exit codes: 0 printed, 1 a cause that may pass, 2 invalid configuration.`,
		Example: "  haproxy-zk render --config /etc/haproxy-zk/config.json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := s.configuration()
			for _, w := range warnings {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", w)
			}
			if err != nil {
				return err
			}
			ctx, release := untilStopped(cmd.Context())
			defer release()
			var plans []*plan.Plan
			err = s.withReaper(cmd, func(reaper *supervisor.Reaper) error {
				plans, err = check.Plans(ctx, plan.Options{RunDir: s.RunDir, Reaper: reaper}, cfg)
				return err
			})
			if err != nil {
				return err
			}
			for _, pl := range plans {
				if len(plans) > 1 {
					fmt.Fprintf(cmd.OutOrStdout(), "# %s: %s\n", pl.Name, pl.ConfFile)
				}
				if _, err := cmd.OutOrStdout().Write(pl.Render()); err != nil {
					return err
				}
				for _, m := range pl.Maps() {
					fmt.Fprintf(cmd.OutOrStdout(), "# %s:\n", m.Path)
					for line := range strings.Lines(string(m.Text())) {
						fmt.Fprintf(cmd.OutOrStdout(), "#     %s", line)
					}
				}
			}
			return nil
		},
	}
}
