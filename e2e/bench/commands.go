package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	commandRuns  = 15
	commandPause = 1100 * time.Millisecond // so that no run gets the reading of the one before
	commandLimit = 5 * time.Minute
)

// commands measures how long people wait for an answer about 1,000 groups of 19 instances: as many as
// the usual limit of 20,000 open files allows.
func commands(ctx context.Context, haproxies []rig.HAProxy) error {
	fmt.Print("\nCommands beside 1,000 groups of 19 instances, from start to exit; milliseconds\n\n| HAProxy | command | median | slowest |\n|---|---|---|---|\n")
	for _, h := range haproxies {
		if err := measureCommands(ctx, h); err != nil {
			return fmt.Errorf("HAProxy %s: %w", h, err)
		}
	}
	return nil
}

func measureCommands(ctx context.Context, h rig.HAProxy) (err error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	e, err := newEstate(ctx, h, size{1000, 20, 19}, byName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	daemon, url, err := startDaemon(ctx, e.config, e.dir)
	if err != nil {
		return err
	}
	e.daemon = daemon
	binary, err := rig.Build(ctx, false)
	if err != nil {
		return err
	}
	addr := strings.TrimPrefix(url, "http://")
	for _, args := range [][]string{
		{"get", "-o", "table"}, {"get", "-o", "wide", "bench/g500"}, {"explain", "bench/g500/127.2.244.7:80"}, {"top"}, {"status", "-o", "table"}, {"version"},
	} {
		var took []time.Duration
		for range commandRuns {
			begun := time.Now()
			output, err := exec.CommandContext(ctx, binary, append(args, "--http-addr", addr, "--run-dir", e.dir+"/run")...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%q: %w: %s", args, err, output)
			}
			took = append(took, time.Since(begun))
			if err := waitFor(ctx, commandPause); err != nil {
				return err
			}
		}
		slices.Sort(took)
		fmt.Printf("| %s | %s | %.0f | %.0f |\n", h.Name, strings.Join(args, " "), took[len(took)/2].Seconds()*1e3, took[len(took)-1].Seconds()*1e3)
	}
	return nil
}

// waitFor waits, unless ctx is done before.
func waitFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
