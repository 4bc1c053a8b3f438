package main

import (
	"bytes"
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/daemon/host"
	"github.com/haproxy-zk/haproxy-zk/report"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

const statusHelp = `status shows whether haproxy-zk is running on this host, what /readyz answers, and
why the configuration was rejected when it was last read, until one is accepted.
After a stop or a crash it names the HAProxy processes that still serve, with
the instances that they had.

On a terminal it prints whether requests should be sent here, what is wrong, the worst
first, and a table of the proxies. Into a pipe or file it prints the body of /readyz.

  -o table  the table, wherever it goes
  -o wide   a table with more columns
  -o text   that a process is running, and the body of /readyz
  -o json   the body of /readyz
  -o name   the names of the proxies, one a line

With --watch it prints again what changes.

Exit codes: 0 haproxy-zk is running, 3 it is not, whether HAProxy still serves or
not.`

func newStatus(s *settings) *cobra.Command {
	var f hostFlags
	o := &output{formats: []report.Format{report.Table, report.Wide, report.Text, report.JSON, report.Names}, piped: report.Text}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "show whether haproxy-zk is running and ready",
		Long:  statusHelp,
		Example: `  haproxy-zk status || haproxy-zk start
  haproxy-zk status -o wide --watch`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := f.host(s)
			if err != nil {
				return err
			}
			format, err := o.format(cmd)
			if err != nil {
				return err
			}
			return o.show(cmd, s.asking(), func(ctx context.Context, p *terminal.Page) error {
				var text bytes.Buffer
				err := h.Status(ctx, &text, showStatus(p, format))
				p.Raw(text.Bytes())
				if o.watch && text.Len() > 0 {
					return nil // what it says is watched, also that nothing runs
				}
				return err
			})
		},
	}
	f.declare(cmd)
	o.declare(cmd)
	o.declareWatch(cmd)
	return cmd
}

// showStatus returns how the status of a running process is shown: on a page, or if it is
// for programs, as text.
func showStatus(p *terminal.Page, format report.Format) host.Show {
	switch format {
	case report.Text:
		return host.ShowText
	case report.JSON:
		return func(out io.Writer, _ int, readyz []byte) error {
			_, err := out.Write(readyz)
			return err
		}
	}
	return func(_ io.Writer, pid int, readyz []byte) error { return report.Status(p, pid, readyz, format) }
}
