package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

func newCheck(s *settings) *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "check the configuration, the template and what HAProxy says of the result",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withPlans(cmd, s, strict, func(ctx context.Context, reaper *supervisor.Reaper, plans []*plan) error {
				var problems []error
				for _, pl := range plans {
					if err := checkRendered(ctx, reaper, pl); err != nil {
						problems = append(problems, fmt.Errorf("%s: %w", pl.Name, err))
						continue
					}
					fmt.Fprintf(cmd.OutOrStdout(), "%s: good: %d groups, HAProxy %s\n", pl.Name, len(pl.Groups), pl.frame.Version)
				}
				return errors.Join(problems...)
			})
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "warnings are errors")
	return cmd
}

func newRender(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "render",
		Short: "print HAProxy's configuration as run would write it while nothing is registered",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withPlans(cmd, s, false, func(_ context.Context, _ *supervisor.Reaper, plans []*plan) error {
				for _, pl := range plans {
					if len(plans) > 1 {
						fmt.Fprintf(cmd.OutOrStdout(), "# %s: %s\n", pl.Name, pl.ConfFile)
					}
					if _, err := cmd.OutOrStdout().Write(pl.render()); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// withPlans reads the configuration, makes its plans and does something with them.
func withPlans(cmd *cobra.Command, s *settings, strict bool, do func(context.Context, *supervisor.Reaper, []*plan) error) error {
	cfg, warnings, err := s.configuration()
	for _, w := range warnings {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", w)
	}
	if err != nil {
		return err
	}
	if strict && len(warnings) > 0 {
		return usageError{fmt.Errorf("%d warnings, which --strict makes errors", len(warnings))}
	}
	reaper, stop, err := startReaper(newLogger(*s, cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer stop()
	plans, err := newPlans(cmd.Context(), reaper, cfg)
	if err != nil {
		return err
	}
	return do(cmd.Context(), reaper, plans)
}

func newPlans(ctx context.Context, reaper *supervisor.Reaper, cfg *config.Config) ([]*plan, error) {
	var plans []*plan
	var problems []error
	for _, p := range cfg.Proxies {
		pl, err := newPlan(ctx, reaper, p)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		plans = append(plans, pl)
	}
	return plans, errors.Join(problems...)
}

// checkRendered asks HAProxy about the rendered configuration, in a folder of its own.
func checkRendered(ctx context.Context, reaper *supervisor.Reaper, pl *plan) error {
	dir, err := os.MkdirTemp("", "haproxy-zk-check-")
	if err != nil {
		return fmt.Errorf("make a folder for the rendered configuration: %w", err)
	}
	file := filepath.Join(dir, filepath.Base(pl.ConfFile))
	if err := os.WriteFile(file, pl.render(), 0o600); err != nil {
		return fmt.Errorf("write the rendered configuration: %w", err)
	}
	if err := supervisor.Check(ctx, reaper, pl.executable, file); err != nil {
		// The file stays: HAProxy's words name its lines.
		return err
	}
	return os.RemoveAll(dir)
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
