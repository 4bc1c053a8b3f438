package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

const releaseHelp = `release takes the held instances of a group out of service. The loss guard holds
instances in service for a minute when many deregister at once and HAProxy still
finds them healthy. get and /readyz show which instances are held.

It asks the haproxy-zk that runs on this host, over RUN_DIR/control.sock.

Exit codes: 0 released, or nothing was held; 1 no such group, or no answer.`

func newRelease(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:               "release PROXY/GROUP",
		Short:             "take instances held by the loss guard out of service",
		Long:              releaseHelp,
		Example:           "  haproxy-zk release ngboss/web-basecentre",
		ValidArgsFunction: s.completeGroups(false),
		Args: func(cmd *cobra.Command, args []string) error {
			if err := atMostOne(cmd, args); err != nil {
				return err
			}
			if proxy, group, _ := strings.Cut(strings.Join(args, ""), "/"); proxy == "" || group == "" {
				return exitcode.NewUsageError(fmt.Errorf("PROXY/GROUP is missing; see %s --help", cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			held, err := control.NewClient(control.Path(s.RunDir)).Release(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			text := fmt.Sprintf("released %d held instances of %s", held, args[0])
			if held == 0 {
				text = "no instance of " + args[0] + " is held"
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
}
