package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/check"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/report"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

const renderHelp = `render prints the HAProxy configuration as run writes it while no instance is
registered, and the files of maps as comments. The output contains the secrets of the
template.

With --diff it prints instead, as a unified diff without secrets, what a reload would
change in the configuration that runs, with the groups and instances of now. Secrets are
masked on both sides, so that a secret which changes is not seen. It asks the haproxy-zk
that runs on this host, at HTTP_ADDR or HTTP_DETAIL_ADDR. Run it as the daemon's user,
with the same limit of open files, from which maxconn follows.

Exit codes: 0 printed, 1 a cause that may pass, or no answer, 2 invalid configuration.`

func newRender(s *settings) *cobra.Command {
	diff := false
	cmd := &cobra.Command{
		Use:   "render",
		Short: "print the HAProxy configuration, or what would change",
		Long:  renderHelp,
		Example: `  haproxy-zk render --config /etc/haproxy-zk/config.json
  haproxy-zk render --diff && haproxy-zk reload`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, release := untilStopped(cmd.Context())
			defer release()
			plans, err := s.plans(ctx, cmd)
			if err != nil {
				return err
			}
			if diff {
				return s.printDiff(ctx, cmd, plans)
			}
			return printConfigurations(cmd.OutOrStdout(), plans)
		},
	}
	cmd.Flags().BoolVar(&diff, "diff", false, "print what would change in the configuration that runs, without secrets")
	return cmd
}

// plans returns the plans of the configuration, and prints its warnings.
func (s *settings) plans(ctx context.Context, cmd *cobra.Command) (plans []*plan.Plan, err error) {
	cfg, warnings, err := s.configuration()
	for _, w := range warnings {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", w)
	}
	if err != nil {
		return nil, err
	}
	_, side := screenOf(cmd)
	defer side.Progress("asking HAProxy for its version")()
	err = s.withReaper(cmd, func(reaper *supervisor.Reaper) error {
		plans, err = check.Plans(ctx, plan.Options{RunDir: s.RunDir, Reaper: reaper}, cfg)
		return err
	})
	return plans, err
}

func printConfigurations(out io.Writer, plans []*plan.Plan) error {
	for _, pl := range plans {
		if len(plans) > 1 {
			fmt.Fprintf(out, "# %s: %s\n", pl.Name, pl.ConfFile)
		}
		if _, err := out.Write(pl.RenderWithMaps()); err != nil {
			return err
		}
	}
	return nil
}

// printDiff prints what would change in the configurations that run.
func (s *settings) printDiff(ctx context.Context, cmd *cobra.Command, plans []*plan.Plan) error {
	var intended []report.Intended
	for _, pl := range plans {
		intended = append(intended, report.Intended{Proxy: pl.Name, Like: pl.RenderLike})
	}
	return new(output).show(cmd, s.asking(), func(_ context.Context, p *terminal.Page) error {
		return report.Diff(ctx, s.detailClient(), p, intended) // ctx is done when the command is interrupted
	})
}
