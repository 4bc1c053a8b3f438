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

const registerRounds = 100

// registering is how long after the start of haproxy-zk register, and after the creation of
// its node, an instance answers its first request. ZooKeeper's times have a resolution of a
// millisecond.
type registering struct{ fromStart, fromNode []time.Duration }

// measureRegister registers instances of a group by haproxy-zk register, one after another.
func measureRegister(ctx context.Context, registry *rig.Registry, config *rig.SeedConfig, group string, s side) (took registering, err error) {
	binary, err := rig.Build(ctx, false)
	if err != nil {
		return took, err
	}
	dir, err := os.MkdirTemp("", "hz-bench-")
	if err != nil {
		return took, err
	}
	defer os.RemoveAll(dir)
	for i := range registerRounds {
		app, err := rig.StartApp("bench")
		if err != nil {
			return took, err
		}
		args := []string{"register", "--zk", config.ZKAddr, "--zk-path", config.ZKPath, "--group", group, "--address", app.Addr(), "--drain", "0s"}
		err = took.round(ctx, registry, s, rig.DaemonOptions{Binary: binary, Args: args, Dir: dir}, app.Addr())
		if err := errors.Join(err, app.Stop()); err != nil {
			return took, fmt.Errorf("register, round %d: %w", i, err)
		}
	}
	return took, nil
}

// round registers one instance until it has answered, polling the listener continuously.
func (r *registering) round(ctx context.Context, registry *rig.Registry, s side, o rig.DaemonOptions, addr string) error {
	p, err := dialPoller(s.listener)
	if err != nil {
		return err
	}
	defer p.close()
	begun := time.Now()
	wrapper, err := rig.StartDaemon(o)
	if err != nil {
		return err
	}
	at, err := p.until(ctx, func(answer string) bool { return strings.Contains(answer, addr) }, 1)
	if err == nil {
		_, stat, wrong := registry.Conn().Exists(s.node + "/" + addr)
		if err = wrong; err == nil {
			r.fromStart = append(r.fromStart, at.Sub(begun))
			r.fromNode = append(r.fromNode, at.Sub(time.UnixMilli(stat.Ctime)))
		}
	}
	if err := errors.Join(err, wrapper.Signal(unix.SIGTERM)); err != nil {
		return errors.Join(err, wrapper.Close())
	}
	if _, err := wrapper.Wait(ctx); err != nil {
		return errors.Join(err, wrapper.Close())
	}
	_, err = p.until(ctx, func(answer string) bool { return !strings.Contains(answer, addr) }, 2)
	return errors.Join(err, wrapper.Close())
}
