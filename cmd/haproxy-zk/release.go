package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/control"
)

const releaseHelp = `release ends what the loss guard does for a group: instances that left
ZooKeeper together, and that HAProxy still finds alive, are held in service for a
minute. It asks the haproxy-zk that runs here, over RUN_DIR/control.sock; get and
/readyz tell what is held.

Exit codes: 0 they are released, or nothing was held; 1 there is no such group, or no answer.`

func newRelease(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "release PROXY/GROUP",
		Short: "take the instances that the loss guard holds out of service",
		Long:  releaseHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return noArgs(cmd, args[1:])
			}
			if proxy, group, _ := strings.Cut(strings.Join(args, ""), "/"); proxy == "" || group == "" {
				return usageError{fmt.Errorf("a PROXY/GROUP is missing; %s --help tells more", cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			held, err := control.NewClient(controlSocket(*s)).Release(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			text := fmt.Sprintf("%d held instances of %s are released", held, args[0])
			if held == 0 {
				text = "nothing is held of " + args[0]
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
}
