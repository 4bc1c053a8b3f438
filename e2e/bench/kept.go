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
	keptInstances = 4
	// Many short windows in turn: other load on the machine affects both sides alike.
	keptPairs  = 40
	keptWithin = 400 * time.Millisecond
)

// keptPair is a window of haproxy-zk beside one of a static HAProxy.
type keptPair struct{ ours, static keptWindow }

func kept(ctx context.Context, haproxies []rig.HAProxy) error {
	printKeptHeader()
	for _, h := range haproxies {
		for _, workers := range []int{1, 2} {
			if workers > 1 && !h.Nbproc {
				continue // threads, as many as the machine has cores
			}
			if err := measureKept(ctx, h, workers); err != nil {
				return fmt.Errorf("HAProxy %s, %d workers: %w", h, workers, err)
			}
		}
	}
	return nil
}

func measureKept(ctx context.Context, h rig.HAProxy, workers int) (err error) {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "hz-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	zk, err := rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, zk.Close()) }()
	registry, err := rig.ConnectRegistry(ctx, zk.Addr(), 10*time.Second)
	if err != nil {
		return err
	}
	defer registry.Close()
	config := &rig.SeedConfig{
		Proxy: "bench", ZKAddr: zk.Addr(), ZKPath: "/bench/${group}", HAProxy: h.Path, Workers: workers, Template: keptTemplate,
		Groups: []rig.Group{{Name: "web", DefaultBackend: true}},
	}
	if err := registry.Ensure("/bench/web"); err != nil {
		return err
	}
	r := &release{config: config, registry: registry}
	defer func() { err = errors.Join(err, r.stop()) }()
	for range keptInstances {
		if err := r.add(); err != nil {
			return err
		}
	}
	static, err := startStatic(ctx, h, workers, dir, r.instances)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, static.stop()) }()
	daemon, _, err := startDaemon(ctx, config, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, daemon.Signal(unix.SIGTERM), daemon.Close()) }()
	name := fmt.Sprintf("%s, %d", h.Name, workers)
	if !h.Nbproc {
		name = h.Name + ", threads"
	}
	ours, fixed := newCrowd(config.Listener()), newCrowd(static.listener)
	defer ours.close()
	defer fixed.close()
	for _, part := range []struct {
		what   string
		during func(context.Context) error
	}{{"steady", func(context.Context) error { return nil }}, {"rolling release", r.replace}} {
		pairs, err := compareKept(ctx, ours, fixed, part.during)
		if err != nil {
			return fmt.Errorf("%s: %w; haproxy-zk said:\n%s", part.what, err, daemon.Output())
		}
		printKeptRow(name, part.what, pairs)
	}
	return nil
}

// compareKept measures windows of both in turn; during runs in those of haproxy-zk.
func compareKept(ctx context.Context, ours, static crowd, during func(context.Context) error) (pairs []keptPair, err error) {
	for i := range keptPairs {
		var p keptPair
		sides := []func() error{
			func() error {
				done := make(chan error, 1)
				go func() { done <- during(ctx) }()
				var err error
				p.ours, err = ours.keep(ctx)
				return errors.Join(err, <-done)
			},
			func() (err error) { p.static, err = static.keep(ctx); return err },
		}
		if i%2 == 1 {
			slices.Reverse(sides)
		}
		for _, measure := range sides {
			if err := measure(); err != nil {
				return nil, err
			}
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// release replaces one instance after the other.
type release struct {
	config    *rig.SeedConfig
	registry  *rig.Registry
	instances []*rig.App // registered, the oldest first
	left      []*rig.App // they keep running, as servers of the static HAProxy
}

func (r *release) add() error {
	app, err := rig.StartApp("web")
	if err != nil {
		return err
	}
	r.instances = append(r.instances, app)
	return app.Register(r.registry, "/bench/web")
}

// replace adds an instance and removes the oldest one, and waits until the workers have
// done both.
func (r *release) replace(ctx context.Context) error {
	if err := r.add(); err != nil {
		return err
	}
	serves := func(app *rig.App, want bool) error {
		return rig.Eventually(ctx, 5*time.Second, func() error {
			if err := r.config.Left("web", app.Addr()); (err != nil) != want {
				return fmt.Errorf("%s in service: %t (%w)", app.Addr(), !want, err)
			}
			return nil
		})
	}
	oldest := r.instances[0]
	r.instances, r.left = r.instances[1:], append(r.left, oldest)
	if err := serves(r.instances[len(r.instances)-1], true); err != nil {
		return err
	}
	if err := oldest.Unregister(); err != nil {
		return err
	}
	return serves(oldest, false)
}

func (r *release) stop() error {
	var errs []error
	for _, app := range slices.Concat(r.instances, r.left) {
		errs = append(errs, app.Stop())
	}
	return errors.Join(errs...)
}
