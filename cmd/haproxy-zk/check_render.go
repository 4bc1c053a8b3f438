package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

func newRender(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "render",
		Short: "print HAProxy's configuration as run would write it while nothing is registered",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := s.configuration()
			for _, w := range warnings {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", w)
			}
			if err != nil {
				return err
			}
			reaper, stop, err := startReaper(newLogger(*s, cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer stop()
			plans, err := newPlans(cmd.Context(), s, reaper, cfg)
			if err != nil {
				return err
			}
			for _, pl := range plans {
				if len(plans) > 1 {
					fmt.Fprintf(cmd.OutOrStdout(), "# %s: %s\n", pl.Name, pl.ConfFile)
				}
				if _, err := cmd.OutOrStdout().Write(pl.render()); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newPlans(ctx context.Context, s *settings, reaper *supervisor.Reaper, cfg *config.Config) ([]*plan, error) {
	var plans []*plan
	var problems []error
	for _, p := range cfg.Proxies {
		pl, err := newPlan(ctx, s, reaper, p)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		plans = append(plans, pl)
	}
	return plans, errors.Join(problems...)
}

// startReaper runs a reaper until stop is called, which waits for it.
func startReaper(log *slog.Logger) (reaper *supervisor.Reaper, stop func(), err error) {
	reaper, err = supervisor.NewReaper(log)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = reaper.Run(ctx) // it returns nil
	}()
	return reaper, func() { cancel(); <-ended }, nil
}
