package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/check"
	"github.com/haproxy-zk/haproxy-zk/daemon/host"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// newRehearse is the command by which restart tries its successor. It is a process
// of its own, as the successor will be: what it does to the environment and the
// limits ends with it.
func newRehearse(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:    "rehearse",
		Short:  "try a start without touching what runs",
		Args:   noArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			running, known, err := host.ReadRecord(s.RunDir)
			if err != nil {
				return err
			}
			cfg, _, err := s.configuration()
			if err != nil {
				return err
			}
			before := check.Before{Known: known, HTTPAddrs: strings.Split(running.HTTPAddr, ","), LogListen: running.LogListen}
			for _, p := range running.Proxies {
				before.PIDFiles = append(before.PIDFiles, p.PIDFile)
			}
			return s.withReaper(cmd, func(reaper *supervisor.Reaper) error {
				return check.Rehearse(cmd.Context(), s.checkOptions(reaper, false), cfg, before)
			})
		},
	}
}
