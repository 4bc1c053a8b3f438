package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
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

const (
	slots       = 1000 // more than instances, so that no slot is reused
	manyGroups  = 1000
	manyServers = 10
)

// setting is what runs beside the group whose instance is replaced.
type setting struct{ groups, workers int }

func (s setting) String() string { return fmt.Sprintf("%d groups, %d workers", s.groups, s.workers) }

// settings are those in which haproxy-zk is compared with the floor, or with another
// haproxy-zk.
func settings(h rig.HAProxy, against string) []setting {
	if against != "" {
		return []setting{{1, 1}}
	}
	all := []setting{{1, 1}, {manyGroups, 1}}
	if h.Nbproc {
		all = append(all, setting{1, 2}, setting{manyGroups, 2})
	}
	return all
}

// surround registers the groups beside ours.
func (s setting) surround(registry *rig.Registry) error {
	for g := range s.groups - 1 {
		path := "/bench/" + groupName(g)
		requests := []any{&zk.CreateRequest{Path: path, Acl: zk.WorldACL(zk.PermAll)}}
		for i := range manyServers {
			requests = append(requests, register(fmt.Sprintf("%s/127.%d.%d.%d:80", path, 1+g>>8, g&0xff, 1+i)))
		}
		if _, err := registry.Conn().Multi(requests...); err != nil {
			return err
		}
	}
	return nil
}

// compare measures haproxy-zk and its baseline in turn: the floor, or another haproxy-zk,
// if there is one.
func compare(ctx context.Context, h rig.HAProxy, in setting, rounds int, against string) (ours, baseline figures, err error) {
	dir, err := os.MkdirTemp("", "hz-bench-")
	if err != nil {
		return figures{}, figures{}, err
	}
	defer os.RemoveAll(dir)
	server, err := rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: dir})
	if err != nil {
		return figures{}, figures{}, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	registry, err := rig.ConnectRegistry(ctx, server.Addr(), 10*time.Second)
	if err != nil {
		return figures{}, figures{}, err
	}
	defer registry.Close()

	config := &rig.SeedConfig{
		Proxy: "bench", ZKAddr: server.Addr(), ZKPath: "/bench/${group}", HAProxy: h.Path, Workers: in.workers,
		Groups: []rig.Group{{Name: "ours", DefaultBackend: true, MaxServer: slots}},
	}
	if in.groups > 1 {
		config.Groups = append(config.Groups, rig.Group{Name: "*", MaxServer: 2 * manyServers, ServerTemplate: "${group_name} 1-${max_server} ${ip_port} disabled"})
	}
	a := &side{node: "/bench/ours"}
	b := &side{node: "/floor/baseline"}
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
	if err := in.surround(registry); err != nil {
		return figures{}, figures{}, err
	}
	daemon, _, err := startDaemon(ctx, config, dir)
	if err != nil {
		return figures{}, figures{}, err
	}
	defer func() { err = errors.Join(err, daemon.Signal(unix.SIGTERM), daemon.Close()) }()
	a.listener = config.Listener()

	if against == "" {
		bare, err := startFloor(ctx, server.Addr(), b.node, config, dir)
		if err != nil {
			return figures{}, figures{}, err
		}
		defer func() { err = errors.Join(err, bare.close()) }()
		b.listener = bare.listener
	} else {
		other := *config
		other.ListenerPort, other.AdminPort, other.ZKPath = 0, 0, "/floor/${group}"
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
