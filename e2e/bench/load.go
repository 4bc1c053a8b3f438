package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	// One window with a reload and one without, 20 times in turn, so that other load on
	// the machine affects both alike. Reloads that are not urgent are at least a second
	// apart.
	pairs     = 20
	window    = 1200 * time.Millisecond
	loadLimit = 2 * time.Minute // for one HAProxy
)

// loadPair is the requests per second of a window without a reload and of the next one
// with it.
type loadPair struct{ quiet, busy float64 }

func (p loadPair) ratio() float64 { return p.busy / p.quiet }

func load(ctx context.Context, haproxies []rig.HAProxy) error {
	printLoadHeader()
	for _, h := range haproxies {
		got, whole, err := measureLoad(ctx, h)
		if err != nil {
			return fmt.Errorf("HAProxy %s: %w", h, err)
		}
		printLoadRow(h.Name, got, whole)
		if whole.Failures > 0 {
			return fmt.Errorf("HAProxy %s: requests failed: %s", h, whole)
		}
	}
	return nil
}

func measureLoad(ctx context.Context, h rig.HAProxy) (got []loadPair, whole rig.Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "hz-bench-")
	if err != nil {
		return nil, whole, err
	}
	defer os.RemoveAll(dir)
	zk, err := rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: dir})
	if err != nil {
		return nil, whole, err
	}
	defer func() { err = errors.Join(err, zk.Close()) }()
	registry, err := rig.ConnectRegistry(ctx, zk.Addr(), 10*time.Second)
	if err != nil {
		return nil, whole, err
	}
	defer registry.Close()
	config := &rig.SeedConfig{
		Proxy: "bench", ZKAddr: zk.Addr(), ZKPath: "/bench/${group}", HAProxy: h.Path, Workers: 1,
		Groups: []rig.Group{{Name: "web", DefaultBackend: true}},
	}
	for _, g := range config.Groups {
		if err := registry.Ensure("/bench/" + g.Name); err != nil {
			return nil, whole, err
		}
	}
	for range 2 {
		app, err := rig.StartApp("web")
		if err != nil {
			return nil, whole, err
		}
		defer func() { err = errors.Join(err, app.Stop()) }()
		if err := app.Register(registry, "/bench/web"); err != nil {
			return nil, whole, err
		}
	}
	daemon, url, err := startDaemon(ctx, config, dir)
	if err != nil {
		return nil, whole, err
	}
	defer func() { err = errors.Join(err, daemon.Signal(unix.SIGTERM), daemon.Close()) }()
	got, whole, err = drive(ctx, config.Listener(), &trigger{daemon: daemon, url: url})
	if err != nil {
		err = fmt.Errorf("%w; haproxy-zk said:\n%s", err, daemon.Output())
	}
	return got, whole, err
}

// drive sends requests continuously, and counts them by window.
func drive(ctx context.Context, listener string, t *trigger) (got []loadPair, whole rig.Result, err error) {
	clients, err := rig.NewLoad(rig.LoadOptions{
		Addr: listener, Targets: []rig.Target{{Path: "/", App: "web"}}, KeepAlive: 4, Fresh: 4,
		Rate:    1e6, // higher than any real rate: the next request follows at once
		MaxTime: loadLimit,
	})
	if err != nil {
		return nil, whole, err
	}
	clients.Start(ctx)
	defer func() {
		whole = clients.Stop()
		if err == nil && whole.Exhausted {
			err = errors.New("the load ended early")
		}
	}()
	perSecond := func(during func() error) (float64, error) {
		before, begun := clients.Result().Requests, time.Now()
		err := during()
		return float64(clients.Result().Requests-before) / time.Since(begun).Seconds(), err
	}
	quiet := func() error { return pause(ctx) }
	busy := func() error { return t.reload(ctx) }
	for i := range pairs {
		var p loadPair
		sides := []struct {
			during func() error
			rate   *float64
		}{{quiet, &p.quiet}, {busy, &p.busy}}
		if i%2 == 1 {
			slices.Reverse(sides)
		}
		for _, side := range sides {
			if *side.rate, err = perSecond(side.during); err != nil {
				return nil, whole, err
			}
		}
		got = append(got, p)
	}
	return got, whole, nil
}

// pause waits for one window.
func pause(ctx context.Context) error {
	select {
	case <-time.After(window):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
