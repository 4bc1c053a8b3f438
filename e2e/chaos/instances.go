package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// checked is how long a crashed instance may still be chosen: two health checks, in two
// generations if a reload comes between them.
const checked = 10 * time.Second

// ofGroup are the faults of one group's instances. Healthy instances lose no request.
func ofGroup(group string) []fault {
	with := func(do func(context.Context, *team, step) error) func(context.Context, *world, step) error {
		return func(ctx context.Context, w *world, s step) error { return do(ctx, w.team(group), s) }
	}
	return []fault{
		{name: "one more for a while", weight: 3, least: 200 * time.Millisecond, most: 2 * time.Second, do: with(visit)},
		{name: "rolling release", weight: 3, do: with(roll)},
		{name: "blue-green release", weight: 2, least: 100 * time.Millisecond, most: time.Second, do: with(switchOver)},
		{name: "many more for a while", weight: 1, least: 500 * time.Millisecond, most: 2 * time.Second, do: with(exceedSlots)},
		{name: "comes and goes", weight: 2, least: 50 * time.Millisecond, most: 500 * time.Millisecond, do: with(flap)},
		{name: "all are wiped", weight: 2, least: 500 * time.Millisecond, most: 4 * time.Second, do: with(wipe)},
		{name: "crash", weight: 3, kills: true, do: with(crash)},
	}
}

func visit(ctx context.Context, t *team, s step) error {
	joined, err := t.join(1)
	if err != nil {
		return err
	}
	s.keep(ctx)
	return t.leave(ctx, joined...)
}

// exceedSlots adds more instances than there are slots.
func exceedSlots(ctx context.Context, t *team, s step) error {
	joined, err := t.join(4 + s.rand().IntN(6))
	if err != nil {
		return err
	}
	if err := t.serve(ctx, joined...); err != nil {
		return err
	}
	s.keep(ctx)
	return t.leave(ctx, joined...)
}

// roll replaces the members one by one.
func roll(ctx context.Context, t *team, s step) error {
	old, err := t.take(ctx, s.rand(), 2)
	if err != nil {
		return err
	}
	for _, app := range old {
		joined, err := t.join(1)
		if err == nil {
			err = t.serve(ctx, joined...)
		}
		if err == nil {
			err = t.leave(ctx, app)
		}
		if err != nil {
			return err
		}
		t.give(joined...)
	}
	return nil
}

// switchOver replaces all members at once.
func switchOver(ctx context.Context, t *team, s step) error {
	blue, err := t.take(ctx, s.rand(), 0)
	if err != nil {
		return err
	}
	green, err := t.join(len(blue))
	if err != nil {
		return err
	}
	if err := t.serve(ctx, green...); err != nil {
		return err
	}
	t.give(green...)
	s.keep(ctx)
	return t.leave(ctx, blue...)
}

// flap makes a healthy instance leave and return repeatedly.
func flap(ctx context.Context, t *team, s step) error {
	taken, err := t.take(ctx, s.rand(), 1)
	if err != nil {
		return err
	}
	app := taken[0]
	defer t.give(app)
	for range 3 {
		if err := app.Unregister(); err != nil {
			return err
		}
		s.keep(ctx)
		if err := app.Register(t.w.registry, t.node()); err != nil {
			return err
		}
		s.keep(ctx)
	}
	return nil
}

// wipe deletes the registrations of live instances, and registers them again.
func wipe(ctx context.Context, t *team, s step) error {
	t.w.guarded.Lock()
	defer t.w.guarded.Unlock()
	t.mu.Lock()
	all := slices.Clone(t.members)
	t.mu.Unlock()
	if len(all) < 3 {
		return errors.New("too few to be guarded")
	}
	for _, app := range all {
		if err := app.Unregister(); err != nil {
			return err
		}
	}
	s.keep(ctx)
	for _, app := range all {
		if err := app.Register(t.w.registry, t.node()); err != nil {
			return err
		}
	}
	if err := t.serve(ctx, all...); err != nil {
		return err
	}
	return t.w.eventually(ctx, "no instance is held", func() error {
		c, err := t.w.condition()
		if err == nil && len(c.Held[t.group]) > 0 {
			err = fmt.Errorf("%v are held", c.Held)
		}
		return err
	})
}

// crash ends an instance abruptly. Its registration lasts as long as its session.
func crash(ctx context.Context, t *team, _ step) error {
	session, err := rig.ConnectRegistry(ctx, t.w.ensemble.Addr(), sessionTimeout)
	if err != nil {
		return err
	}
	defer session.Close()
	app, err := rig.StartApp(t.group)
	if err != nil {
		return err
	}
	defer func() { _ = app.Kill() }()
	if err := app.Register(session, t.node()); err != nil {
		return err
	}
	if err := t.serve(ctx, app); err != nil {
		return err
	}
	d := t.w.oracle.addDeath(death{what: fmt.Sprintf("instance %s of %s, crashed", app.Addr(), t.group), instance: app.Addr(), group: t.group, most: checked})
	session.Crash()
	if err := app.Kill(); err != nil {
		return err
	}
	if err := t.w.eventually(ctx, "HAProxy takes out "+app.Addr(), func() error {
		return t.w.each(t.group, func(serving []string) error {
			if slices.Contains(serving, app.Addr()) {
				return errors.New("it still serves")
			}
			return nil
		})
	}); err != nil {
		return err
	}
	t.w.oracle.update(d, func(d *death) { d.over = time.Now() })
	return t.w.eventually(ctx, "its session ends", func() error {
		registered, err := t.w.registry.Children(t.node())
		if err == nil && slices.Contains(registered, app.Addr()) {
			err = fmt.Errorf("%s is still registered", app.Addr())
		}
		return err
	})
}
