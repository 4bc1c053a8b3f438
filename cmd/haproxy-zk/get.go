package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/report"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

const getHelp = `get prints the instances in service of all proxies, of one proxy, or of one of its
groups. It queries the haproxy-zk that runs on this host, at HTTP_ADDR.

On a terminal it prints a table: of the groups, those with problems first, or of the
instances of one group, as HAProxy's workers report them. Into a pipe or file it prints
JSON, as the HTTP API answers it.

  -o table  the table, wherever it goes
  -o wide   a table with more columns
  -o json   JSON
  -o name   PROXY/GROUP/IP:PORT of each instance, one a line

With --watch it prints again what changes.

Exit codes: 0 printed; 1 no such proxy or group, or no answer; 2 bad usage.`

func newGet(s *settings) *cobra.Command {
	o := &output{formats: []report.Format{report.Table, report.Wide, report.JSON, report.Names}, piped: report.JSON}
	cmd := &cobra.Command{
		Use:   "get [PROXY[/GROUP]]",
		Short: "print the instances that the running haproxy-zk serves",
		Long:  getHelp,
		Example: `  haproxy-zk get
  haproxy-zk get ngboss/web-basecentre --watch
  haproxy-zk get -o name | grep 10.0.0.5`,
		ValidArgsFunction: s.completeGroups(true),
		Args:              atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := oneName(cmd, args, 0, 2)
			if err != nil {
				return err
			}
			format, err := o.format(cmd)
			if err != nil {
				return err
			}
			return o.show(cmd, s.asking(), func(ctx context.Context, p *terminal.Page) error {
				warnings, err := report.Get(ctx, s.detailClient(), p, n, format)
				for _, warning := range warnings {
					fmt.Fprintf(cmd.ErrOrStderr(), "haproxy-zk: %s\n", warning)
				}
				return err
			})
		},
	}
	o.declare(cmd)
	o.declareWatch(cmd)
	return cmd
}
