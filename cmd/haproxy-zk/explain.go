package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/report"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

const explainHelp = `explain says whether an instance serves and, if not, why and what to do: is it
registered, how was its name decoded, which server of HAProxy has it, in which state is
it in each worker, since when, and what happened to it lately. The first line is the
answer.

An instance may be any name that was registered, also one that is no ip:port, and need
not exist. Without an instance, explain says what is wrong with the group.

It queries the haproxy-zk that runs on this host, at HTTP_ADDR or HTTP_DETAIL_ADDR.

Exit codes: 0 explained, whatever the answer is; 1 no such proxy or group, or no answer;
2 bad usage.`

func newExplain(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "explain PROXY/GROUP[/IP:PORT]",
		Short: "say why an instance serves or does not, and what to do",
		Long:  explainHelp,
		Example: `  haproxy-zk explain ngboss/web-basecentre/10.0.0.5:8080
  haproxy-zk explain ngboss/web-basecentre`,
		ValidArgsFunction: s.completeInstances,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := oneName(cmd, args, 2, 3)
			if err != nil {
				return err
			}
			return new(output).show(cmd, s.asking(), func(ctx context.Context, p *terminal.Page) error {
				return report.Explain(ctx, s.detailClient(), p, n)
			})
		},
	}
}
