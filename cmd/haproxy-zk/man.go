//go:build release

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

// manPages returns the command that makes what packages install beside the binary. The
// binary itself does not have it, nor the libraries that it needs.
func manPages() []*cobra.Command {
	return []*cobra.Command{{
		Use:    "man DIR",
		Short:  "write manual pages and shell completions",
		Hidden: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exitcode.NewUsageError(fmt.Errorf("DIR is missing; see %s --help", cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true
			man, completions := filepath.Join(args[0], "man"), filepath.Join(args[0], "completions")
			for _, dir := range []string{man, completions} {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return err
				}
			}
			// Its date is SOURCE_DATE_EPOCH.
			if err := doc.GenManTree(root, &doc.GenManHeader{Section: "8", Source: "haproxy-zk " + version, Manual: "haproxy-zk"}, man); err != nil {
				return err
			}
			if err := root.GenBashCompletionFileV2(filepath.Join(completions, "haproxy-zk.bash"), true); err != nil {
				return err
			}
			if err := root.GenZshCompletionFile(filepath.Join(completions, "_haproxy-zk")); err != nil {
				return err
			}
			return root.GenFishCompletionFile(filepath.Join(completions, "haproxy-zk.fish"), true)
		},
	}}
}
