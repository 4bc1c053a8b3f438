package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	pairs = 3
	// Of haproxy-zk's reloads that are not urgent there is one a second at most:
	// three windows have 20 between them.
	reloadsPerWindow = 7
	window           = reloadsPerWindow * time.Second
	loadLimit        = 2 * time.Minute // for one HAProxy
)

// loadPair is a window without reloads and the one with them beside it.
type loadPair struct{ quiet, busy rig.Result }

func (p loadPair) ratio() float64 { return perSecond(p.busy) / perSecond(p.quiet) }

func perSecond(r rig.Result) float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

func load(ctx context.Context, haproxies []rig.HAProxy) error {
	printLoadHeader()
	for _, h := range haproxies {
		got, reloads, err := measureLoad(ctx, h)
		if err != nil {
			return fmt.Errorf("HAProxy %s: %w", h, err)
		}
		printLoadRow(h.Name, reloads, got)
		for _, p := range got {
			for _, r := range []rig.Result{p.quiet, p.busy} {
				if r.Failures > 0 {
					return fmt.Errorf("HAProxy %s: requests failed: %s", h, r)
				}
			}
		}
	}
	return nil
}

func measureLoad(ctx context.Context, h rig.HAProxy) (got []loadPair, reloads int, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "hz-bench-")
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(dir)
	zk, err := rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: dir})
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, zk.Close()) }()
	registry, err := rig.ConnectRegistry(ctx, zk.Addr(), 10*time.Second)
	if err != nil {
		return nil, 0, err
	}
	defer registry.Close()
	config := &rig.SeedConfig{
		Proxy: "bench", ZKAddr: zk.Addr(), ZKPath: "/bench/${group}", HAProxy: h.Path, Workers: 1,
		Groups: append([]rig.Group{{Name: "web", DefaultBackend: true}}, growing(pairs*reloadsPerWindow)...),
	}
	for _, g := range config.Groups {
		if err := registry.Ensure("/bench/" + g.Name); err != nil {
			return nil, 0, err
		}
	}
	for range 2 {
		app, err := rig.StartApp("web")
		if err != nil {
			return nil, 0, err
		}
		defer func() { err = errors.Join(err, app.Stop()) }()
		if err := app.Register(registry, "/bench/web"); err != nil {
			return nil, 0, err
		}
	}
	daemon, url, err := startDaemon(ctx, config, dir)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, daemon.Signal(unix.SIGTERM), daemon.Close()) }()
	t, err := newTrigger(ctx, daemon, registry, config, url)
	if err != nil {
		return nil, 0, err
	}
	for i := range pairs {
		pair, err := measurePair(ctx, config.Listener(), t, i%2 == 1)
		if err != nil {
			return nil, 0, fmt.Errorf("%w; haproxy-zk said:\n%s", err, daemon.Output())
		}
		got = append(got, pair)
	}
	reloads, err = t.reloads(ctx)
	return got, reloads, err
}

func measurePair(ctx context.Context, listener string, t *trigger, busyFirst bool) (p loadPair, err error) {
	if busyFirst {
		p.busy, err = drive(ctx, listener, t.reloadOften)
	} else {
		p.quiet, err = drive(ctx, listener, wait)
	}
	if err != nil {
		return p, err
	}
	if busyFirst {
		p.quiet, err = drive(ctx, listener, wait)
	} else {
		p.busy, err = drive(ctx, listener, t.reloadOften)
	}
	return p, err
}

func wait(ctx context.Context) error {
	select {
	case <-time.After(window):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drive asks without a pause, as long as during runs.
func drive(ctx context.Context, listener string, during func(context.Context) error) (rig.Result, error) {
	clients, err := rig.NewLoad(rig.LoadOptions{
		Addr: listener, Targets: []rig.Target{{Path: "/", App: "web"}}, KeepAlive: 4, Fresh: 4,
		Rate:    1e6, // no request is that fast: the next one follows at once
		MaxTime: 4 * window,
	})
	if err != nil {
		return rig.Result{}, err
	}
	clients.Start(ctx)
	err = during(ctx)
	result := clients.Stop()
	if err == nil && result.Exhausted {
		err = errors.New("the load ended early")
	}
	return result, err
}
