package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/report"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

const eventsHelp = `events lists what changed, the latest last, also before a restart of haproxy-zk: of
everything, of one proxy, or of one group. docs/operations.md lists the kinds.

With --follow it continues with what happens from now on, until interrupted, and connects
again when haproxy-zk restarts, without leaving an event out.

It queries the haproxy-zk that runs on this host, at HTTP_ADDR or HTTP_DETAIL_ADDR.

Exit codes: 0 printed; 1 no such proxy or group, or no answer; 2 bad usage.`

func newEvents(s *settings) *cobra.Command {
	o := &output{formats: []report.Format{report.Table, report.JSON}, piped: report.Table}
	var selected report.Selection
	var follow bool
	cmd := &cobra.Command{
		Use:   "events [PROXY[/GROUP]]",
		Short: "list what changed, and follow it",
		Long:  eventsHelp,
		Example: `  haproxy-zk events --since 15m
  haproxy-zk events ngboss/web-basecentre --since 2026-01-02T15:04:05Z
  haproxy-zk events --follow --kind reload,reload_failed,worker_exit`,
		ValidArgsFunction: s.completeGroups(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := oneName(cmd, args, 0, 2)
			if err != nil {
				return err
			}
			format, err := o.format(cmd)
			if err != nil {
				return err
			}
			selected.Of = n
			if follow {
				ctx, release := untilStopped(cmd.Context())
				defer release()
				screen, side := screenOf(cmd)
				return report.Follow(ctx, s.detailClient(), screen, side, selected, format)
			}
			return o.show(cmd, s.asking(), func(ctx context.Context, p *terminal.Page) error {
				return report.Events(ctx, s.detailClient(), p, selected, format)
			})
		},
	}
	o.declare(cmd)
	cmd.Flags().StringVar(&selected.Since, "since", "1h", "since then: a duration such as 1h30m, or a time such as 2026-01-02T15:04:05Z")
	cmd.Flags().StringSliceVar(&selected.Kinds, "kind", nil, "only of these kinds, separated by commas")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "continue with what happens from now on")
	complete(cmd, "kind", eventKinds()...)
	return cmd
}

func eventKinds() (all []string) {
	for _, k := range registry.EventKinds() {
		all = append(all, string(k))
	}
	slices.Sort(all)
	return all
}
