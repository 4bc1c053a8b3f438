package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// version and commit are set by the linker.
var (
	version = "dev"
	commit  string
)

const versionHelp = `version prints the version of haproxy-zk, the commit and the Go release that it was
built from, and the version of each HAProxy that the configuration names, until when it
is supported, and what it can do. If the configuration cannot be read, that is haproxy
on PATH, or the variable EXEC.`

func newVersion(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "print the versions of haproxy-zk, Go and HAProxy",
		Long:    versionHelp,
		Example: "  haproxy-zk version\n  haproxy-zk --version",
		Args:    noArgs,
		// Wrong settings are no reason to keep the version secret.
		PersistentPreRun: func(cmd *cobra.Command, _ []string) { _ = s.load(cmd) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.printVersion(cmd)
		},
	}
}

func (s *settings) printVersion(cmd *cobra.Command) error {
	stdout := cmd.OutOrStdout()
	_, err := fmt.Fprintf(stdout, "haproxy-zk %s\ncommit %s\n%s %s/%s\n", version, builtFrom(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return err
	}
	return s.withReaper(cmd, func(reaper *supervisor.Reaper) error {
		cfg, _, _ := s.configuration() // an invalid one names no HAProxy
		for _, executable := range s.Executables(cfg) {
			if _, err := fmt.Fprintln(stdout, "HAProxy", plan.DescribeHAProxy(cmd.Context(), reaper, executable, time.Now())); err != nil {
				return err
			}
		}
		return nil
	})
}

// builtFrom is the commit, of a checkout with changes with a plus sign.
func builtFrom() string {
	if commit != "" {
		return commit
	}
	info, known := debug.ReadBuildInfo()
	if !known {
		return "unknown"
	}
	settings := make(map[string]string)
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	revision := cmp.Or(settings["vcs.revision"], "unknown")
	if settings["vcs.modified"] == "true" {
		revision += "+"
	}
	return revision
}
