package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// ofZooKeeper are the faults of its servers, of the connections to them, and of its
// data. None costs a request.
func ofZooKeeper() []fault {
	wire := func(fail func(*rig.Wire, step)) func(context.Context, *world, step) error {
		return func(ctx context.Context, w *world, s step) error { return onWires(ctx, w, s, fail) }
	}
	short, long := 100*time.Millisecond, 3*time.Second
	return []fault{
		{name: "server killed", weight: 2, least: short, most: long, do: killServer},
		{name: "leader killed", weight: 2, least: short, most: long, do: killLeader},
		{name: "connection cut", weight: 2, do: wire(func(w *rig.Wire, _ step) { w.Cut() })},
		{name: "connection refused", weight: 2, least: short, most: long, do: wire(func(w *rig.Wire, _ step) { w.Refuse() })},
		{name: "network silent", weight: 2, least: short, most: long, do: wire(func(w *rig.Wire, _ step) { w.Silence() })},
		{name: "network half open", weight: 2, least: short, most: long, do: wire(func(w *rig.Wire, _ step) { w.Mute() })},
		{name: "network slow", weight: 2, least: short, most: long, do: wire(slow)},
		{name: "session expires", weight: 1, least: sessionTimeout + time.Second, most: sessionTimeout + 2*time.Second, do: expire},
		{name: "session closed", weight: 2, do: closeSession},
		{name: "junk children", weight: 2, least: short, most: long, do: junk},
		{name: "permission taken away", weight: 1, least: short, most: long, do: forbid},
	}
}

// onWires makes some or all of the connections to ZooKeeper fail.
func onWires(ctx context.Context, w *world, s step, fail func(*rig.Wire, step)) error {
	which := 1 + s.rand().IntN(1<<len(w.wires)-1)
	for i, wire := range w.wires {
		if which&(1<<i) != 0 {
			fail(wire, s)
		}
	}
	s.keep(ctx)
	return w.forward()
}

func (w *world) forward() error {
	var errs []error
	for _, wire := range w.wires {
		errs = append(errs, wire.Forward())
	}
	return errors.Join(errs...)
}

func slow(w *rig.Wire, s step) { w.Delay(time.Duration(10+s.rand().IntN(1000)) * time.Millisecond) }

// expire blocks the connections until the server has expired the session.
func expire(ctx context.Context, w *world, s step) error {
	for _, wire := range w.wires {
		wire.Silence()
	}
	s.keep(ctx)
	return w.forward()
}

// closeSession closes the session with its password. It is unknown through which wire
// it was opened.
func closeSession(ctx context.Context, w *world, _ step) error {
	var errs []error
	for _, wire := range w.wires {
		errs = append(errs, wire.CloseSession(ctx))
	}
	if slices.Contains(errs, nil) {
		return nil
	}
	return errors.Join(errs...)
}

func killServer(ctx context.Context, w *world, s step) error {
	return restart(ctx, w.ensemble.Servers[s.rand().IntN(len(w.ensemble.Servers))], s)
}

func killLeader(ctx context.Context, w *world, s step) error {
	var leader *rig.ZooKeeper
	if err := w.eventually(ctx, "a leader", func() (err error) {
		leader, err = w.ensemble.Leader()
		return err
	}); err != nil {
		return err
	}
	return restart(ctx, leader, s)
}

func restart(ctx context.Context, server *rig.ZooKeeper, s step) error {
	if err := server.Kill(); err != nil {
		return err
	}
	s.keep(ctx)
	return server.Start(ctx)
}

// junk creates names that are not instances.
func junk(ctx context.Context, w *world, s step) error {
	names := []string{"127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "0.0.0.0:80", "localhost:80", "127.0.0.1:80;shutdown sessions", "127.0.0.1:80\u2028set"}
	group := []string{shop, base, queue}[s.rand().IntN(3)]
	for _, name := range names {
		if err := w.registry.Register(w.node(group), name); err != nil {
			return err
		}
	}
	s.keep(ctx)
	for _, name := range names {
		if err := w.registry.Unregister(w.node(group), name); err != nil {
			return err
		}
	}
	return nil
}

// forbid revokes the permission to read a path, and restores it. An instance that
// registers in between serves afterwards.
func forbid(ctx context.Context, w *world, s step) error {
	t := w.team(blog)
	conn := w.registry.Conn()
	allow := func(acl []zk.ACL) error {
		return w.eventually(ctx, "permission of "+t.node(), func() error {
			if err := conn.AddAuth("digest", []byte("owner:x")); err != nil {
				return fmt.Errorf("be the owner: %w", err)
			}
			_, err := conn.SetACL(t.node(), acl, -1)
			return err
		})
	}
	if err := allow(zk.DigestACL(zk.PermAll, "owner", "x")); err != nil {
		return err
	}
	joined, err := t.join(1)
	s.keep(ctx)
	if err := errors.Join(err, allow(zk.WorldACL(zk.PermAll))); err != nil {
		return err
	}
	if err := t.serve(ctx, joined...); err != nil {
		return err
	}
	return t.leave(ctx, joined...)
}
