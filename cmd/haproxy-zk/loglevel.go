package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

const logLevelHelp = `log-level prints the log level of the running haproxy-zk, or changes it at once,
without a restart, and prints the command that changes it back. The change lasts until
haproxy-zk ends: the next start uses LOG_LEVEL again.

It asks over RUN_DIR/control.sock.

Exit codes: 0 printed or changed; 1 no answer; 2 bad usage.`

// logLevels are the levels of LOG_LEVEL.
func logLevels() []string { return []string{"debug", "info", "warn", "error"} }

func newLogLevel(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "log-level [LEVEL]",
		Short: "print or change the log level of the running haproxy-zk",
		Long:  logLevelHelp,
		Example: `  haproxy-zk log-level
  haproxy-zk log-level debug`,
		ValidArgsFunction: cobra.FixedCompletions(logLevels(), cobra.ShellCompDirectiveNoFileComp),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return noArgs(cmd, args[1:])
			}
			if len(args) == 1 && !slices.Contains(logLevels(), strings.ToLower(args[0])) {
				return exitcode.NewUsageError(fmt.Errorf("%q is no level: use one of %s", args[0], strings.Join(logLevels(), ", ")))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			client := control.NewClient(control.Path(s.RunDir))
			before, err := client.Level(cmd.Context())
			if err != nil {
				return err
			}
			was := strings.ToLower(before.String())
			if len(args) == 0 {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), was)
				return err
			}
			var level slog.Level
			if err := level.UnmarshalText([]byte(args[0])); err != nil {
				return exitcode.NewUsageError(err)
			}
			if err := client.SetLevel(cmd.Context(), level); err != nil {
				return err
			}
			text := fmt.Sprintf("the log level is %s", strings.ToLower(args[0]))
			if level != before {
				text += fmt.Sprintf(", until haproxy-zk ends; to change it back: haproxy-zk log-level %s", was)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
}
