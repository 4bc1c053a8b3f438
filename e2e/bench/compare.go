package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// figures are the times of one side's rounds.
type figures struct{ first, last []time.Duration }

// side is an HAProxy whose one backend follows one ZooKeeper path.
type side struct {
	listener string
	node     string
	figures  figures
}

const slots = 1000 // more than instances, so that no slot is reused

// compare measures haproxy-zk and its baseline in turn: the floor, or another haproxy-zk,
// if there is one.
func compare(ctx context.Context, h rig.HAProxy, rounds int, against string) (ours, baseline figures, err error) {
	dir, err := os.MkdirTemp("", "hz-bench-")
	if err != nil {
		return figures{}, figures{}, err
	}
	defer os.RemoveAll(dir)
	zk, err := rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: dir})
	if err != nil {
		return figures{}, figures{}, err
	}
	defer func() { err = errors.Join(err, zk.Close()) }()
	registry, err := rig.ConnectRegistry(ctx, zk.Addr(), 10*time.Second)
	if err != nil {
		return figures{}, figures{}, err
	}
	defer registry.Close()

	config := &rig.SeedConfig{
		Proxy: "bench", ZKAddr: zk.Addr(), ZKPath: "/bench/${group}", HAProxy: h.Path, Workers: 1,
		Groups: []rig.Group{{Name: "ours", DefaultBackend: true, MaxServer: slots}},
	}
	a := &side{node: "/bench/ours"}
	b := &side{node: "/bench/baseline"}
	// It stays, as in most groups: that of an instance that was alone is kept for half a
	// second, in case it only registers anew.
	steady, err := rig.StartApp("bench")
	if err != nil {
		return figures{}, figures{}, err
	}
	defer func() { err = errors.Join(err, steady.Stop()) }()
	for _, s := range []*side{a, b} {
		if err := registry.Ensure(s.node); err != nil {
			return figures{}, figures{}, err
		}
		if err := registry.Register(s.node, steady.Addr()); err != nil {
			return figures{}, figures{}, err
		}
	}
	daemon, _, err := startDaemon(ctx, config, dir)
	if err != nil {
		return figures{}, figures{}, err
	}
	defer func() { err = errors.Join(err, daemon.Signal(unix.SIGTERM), daemon.Close()) }()
	a.listener = config.Listener()

	if against == "" {
		bare, err := startFloor(ctx, zk.Addr(), b.node, config, dir)
		if err != nil {
			return figures{}, figures{}, err
		}
		defer func() { err = errors.Join(err, bare.close()) }()
		b.listener = bare.listener
	} else {
		other := *config
		other.ListenerPort, other.AdminPort = 0, 0
		other.Groups = []rig.Group{{Name: "baseline", DefaultBackend: true, MaxServer: slots}}
		home := filepath.Join(dir, "b")
		if err := os.Mkdir(home, 0o700); err != nil {
			return figures{}, figures{}, err
		}
		daemon, _, err := startBinary(ctx, against, &other, home)
		if err != nil {
			return figures{}, figures{}, err
		}
		defer func() { err = errors.Join(err, daemon.Signal(unix.SIGTERM), daemon.Close()) }()
		b.listener = other.Listener()
	}

	for i := range rounds {
		app, err := rig.StartApp("bench")
		if err != nil {
			return figures{}, figures{}, err
		}
		sides := []*side{a, b}
		if i%2 == 1 {
			sides = []*side{b, a}
		}
		for _, s := range sides {
			if err := s.round(ctx, registry, app.Addr()); err != nil {
				return figures{}, figures{}, fmt.Errorf("round %d of %s: %w", i, s.node, err)
			}
		}
		if err := app.Stop(); err != nil {
			return figures{}, figures{}, err
		}
	}
	return a.figures, b.figures, nil
}

// startDaemon returns haproxy-zk once it serves, and the URL of its query API.
func startDaemon(ctx context.Context, config *rig.SeedConfig, dir string) (daemon *rig.Daemon, url string, err error) {
	binary, err := rig.Build(ctx, false)
	if err != nil {
		return nil, "", err
	}
	return startBinary(ctx, binary, config, dir)
}

// startBinary is startDaemon with an executable.
func startBinary(ctx context.Context, binary string, config *rig.SeedConfig, dir string) (daemon *rig.Daemon, url string, err error) {
	file, err := config.Write(dir)
	if err != nil {
		return nil, "", err
	}
	port, err := rig.FreePort()
	if err != nil {
		return nil, "", err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	daemon, err = rig.StartDaemon(rig.DaemonOptions{
		Binary: binary,
		Args:   []string{"run", "--config", file, "--http-addr", addr, "--run-dir", dir + "/run", "--state-dir", dir + "/state"},
		Dir:    dir,
	})
	if err != nil {
		return nil, "", err
	}
	url = "http://" + addr
	if err := daemon.AwaitReady(ctx, url); err != nil {
		return nil, "", errors.Join(err, daemon.Close())
	}
	return daemon, url, nil
}

// round adds and removes one instance, polling the listener continuously.
func (s *side) round(ctx context.Context, registry *rig.Registry, instance string) error {
	p, err := dialPoller(s.listener)
	if err != nil {
		return err
	}
	defer p.close()
	begun := time.Now()
	if err := registry.Register(s.node, instance); err != nil {
		return err
	}
	at, err := p.until(ctx, func(answer string) bool { return strings.Contains(answer, instance) }, 1)
	if err != nil {
		return err
	}
	s.figures.first = append(s.figures.first, at.Sub(begun))

	begun = time.Now()
	if err := registry.Unregister(s.node, instance); err != nil {
		return err
	}
	// Requests alternate between two: two in a row are the other's when this one is out.
	at, err = p.until(ctx, func(answer string) bool { return !strings.Contains(answer, instance) }, 2)
	if err != nil {
		return err
	}
	s.figures.last = append(s.figures.last, at.Sub(begun))
	return nil
}
