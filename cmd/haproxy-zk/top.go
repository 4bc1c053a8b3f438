package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/report"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

const topHelp = `top lists the instances with the most errors or requests per second, or running
sessions, of all workers together. Errors are 5xx responses, failed connections, and
responses that were invalid or cut off.

On a terminal it refreshes every 2 s until interrupted, or with --once prints one table;
into a pipe or file it prints one. Rates are those of the last seconds; if nobody has
asked before, it takes a second to measure them.

It queries the haproxy-zk that runs on this host, at HTTP_ADDR or HTTP_DETAIL_ADDR.

Exit codes: 0 printed; 1 no such proxy or group, or no answer; 2 bad usage.`

func newTop(s *settings) *cobra.Command {
	o := &output{formats: []report.Format{report.Table, report.JSON}, piped: report.Table}
	var by string
	var limit int
	var once bool
	cmd := &cobra.Command{
		Use:   "top [PROXY[/GROUP]]",
		Short: "list the instances with the most errors, requests or sessions",
		Long:  topHelp,
		Example: `  haproxy-zk top
  haproxy-zk top ngboss --by rate --limit 5`,
		ValidArgsFunction: s.completeGroups(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := oneName(cmd, args, 0, 2)
			if err != nil {
				return err
			}
			if !slices.Contains(query.TopOrders(), by) {
				return exitcode.NewUsageError(fmt.Errorf("--by %q is no order: use one of %s", by, strings.Join(query.TopOrders(), ", ")))
			}
			format, err := o.format(cmd)
			if err != nil {
				return err
			}
			screen, _ := screenOf(cmd)
			o.watch = screen.IsTerminal() && !once && format == report.Table
			return o.show(cmd, "measuring rates", func(ctx context.Context, p *terminal.Page) error {
				return report.Top(ctx, s.detailClient(), p, n, by, limit, format)
			})
		},
	}
	o.declare(cmd)
	cmd.Flags().StringVar(&by, "by", query.TopOrders()[0], "order: "+strings.Join(query.TopOrders(), ", "))
	cmd.Flags().IntVar(&limit, "limit", 20, "how many instances, at most 1000")
	cmd.Flags().BoolVar(&once, "once", false, "print one table on a terminal too")
	complete(cmd, "by", query.TopOrders()...)
	return cmd
}
