package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	carryRounds = 20
	carryLimit  = 20 * time.Minute // for one HAProxy
	// steadyGroup has the instances that always serve.
	steadyGroup = "steady"
)

// all returns the ways to give the instances of a group servers, of an HAProxy that can do
// all of them; else none.
func all(h rig.HAProxy) []string {
	if h.Major < 3 || h.Major == 3 && h.Minor < 4 {
		return nil
	}
	return []string{"slots", "servers", "backends"}
}

// possible returns the ways of an HAProxy that has more than one.
func possible(h rig.HAProxy) []string {
	if h.Major < 3 {
		return nil
	}
	return append([]string{"slots"}, deleting(h)...)
}

// deleting returns those in which servers are deleted.
func deleting(h rig.HAProxy) []string {
	switch {
	case h.Major < 3:
		return nil
	case h.Major == 3 && h.Minor < 4:
		return []string{"servers"}
	}
	return []string{"servers", "backends"}
}

// carry measures what each way to give instances servers costs, one after the other.
func carry(ctx context.Context, haproxies []rig.HAProxy) error {
	for _, h := range haproxies {
		if err := measureCarry(ctx, h); err != nil {
			return fmt.Errorf("HAProxy %s: %w", h, err)
		}
	}
	return nil
}

func measureCarry(ctx context.Context, h rig.HAProxy) error {
	ctx, cancel := context.WithTimeout(ctx, carryLimit)
	defer cancel()
	for _, part := range []struct {
		header  string
		ways    []string
		measure func(context.Context, rig.HAProxy, string) (string, error)
	}{
		{deletionsHeader, deleting(h), measureDeletions},
		{firstHeader, all(h), measureFirst},
		{crowdHeader, possible(h), measureCrowd},
		{dayHeader, all(h), measureDay},
		{surgeHeader, all(h), measureSurge},
		{manyHeader, all(h), measureMany},
	} {
		if len(part.ways) > 0 {
			fmt.Print(part.header)
		}
		for _, way := range part.ways {
			row, err := part.measure(ctx, h, way)
			if err != nil {
				return fmt.Errorf("%s: %w", way, err)
			}
			fmt.Printf("| %s | %s | %s\n", h.Name, way, row)
		}
	}
	return nil
}

// site is a haproxy-zk that discovers groups, with one whose two instances answer.
type site struct {
	dir      string
	zk       *rig.ZooKeeper
	registry *rig.Registry
	config   *rig.SeedConfig
	daemon   *rig.Daemon
	url      string
	apps     []*rig.App
}

func newSite(ctx context.Context, h rig.HAProxy, way string) (s *site, err error) {
	s = &site{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "hz-bench-"); err != nil {
		return s, err
	}
	if s.zk, err = rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: s.dir, Heap: "512m"}); err != nil {
		return s, err
	}
	if s.registry, err = rig.ConnectRegistry(ctx, s.zk.Addr(), time.Minute); err != nil {
		return s, err
	}
	s.config = &rig.SeedConfig{
		Proxy: "bench", ZKAddr: s.zk.Addr(), ZKPath: "/bench/${group}", HAProxy: h.Path, Workers: 1,
		Groups: []rig.Group{{Name: "*", ServerTemplate: "${group_name} 1-${max_server} ${ip_port} disabled", Extra: map[string]any{"carry": way}}},
	}
	for range 2 {
		app, err := rig.StartApp("bench")
		if err != nil {
			return s, err
		}
		s.apps = append(s.apps, app)
		if err := s.registry.Register("/bench/"+steadyGroup, app.Addr()); err != nil {
			return s, err
		}
	}
	s.daemon, s.url, err = startDaemon(ctx, s.config, s.dir)
	return s, err
}

func (s *site) close() (err error) {
	if s.daemon != nil {
		err = errors.Join(s.daemon.Signal(unix.SIGTERM), s.daemon.Close())
	}
	for _, app := range s.apps {
		err = errors.Join(err, app.Stop())
	}
	if s.registry != nil {
		s.registry.Close()
	}
	if s.zk != nil {
		err = errors.Join(err, s.zk.Close())
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

const firstHeader = `
From a create in ZooKeeper to the first request that the new instance answers; milliseconds

| HAProxy | carried by | new instance, p50 | max | new group, p50 | max |
|---|---|---|---|---|---|
`

// measureFirst measures how soon a new instance and a new group answer.
func measureFirst(ctx context.Context, h rig.HAProxy, way string) (row string, err error) {
	s, err := newSite(ctx, h, way)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var instances, groups []time.Duration
	for i := range carryRounds {
		took, err := s.first(ctx, steadyGroup)
		if err != nil {
			return "", err
		}
		instances = append(instances, took)
		if took, err = s.first(ctx, fmt.Sprintf("new%d", i)); err != nil {
			return "", err
		}
		groups = append(groups, took)
	}
	return fmt.Sprintf("%.1f | %.1f | %.1f | %.1f |", ms(percentile(instances, 50)), ms(percentile(instances, 100)), ms(percentile(groups, 50)), ms(percentile(groups, 100))), nil
}

// first registers a new instance in a group, and returns how long it took until it answered.
func (s *site) first(ctx context.Context, group string) (time.Duration, error) {
	app, err := rig.StartApp("bench")
	if err != nil {
		return 0, err
	}
	s.apps = append(s.apps, app)
	p, err := dialPoller(s.config.Listener())
	if err != nil {
		return 0, err
	}
	defer p.close()
	p.path = "/" + group + "/"
	begun := time.Now()
	if err := s.registry.Register("/bench/"+group, app.Addr()); err != nil {
		return 0, err
	}
	at, err := p.until(ctx, func(answer string) bool { return strings.Contains(answer, app.Addr()) }, 1)
	return at.Sub(begun), err
}
