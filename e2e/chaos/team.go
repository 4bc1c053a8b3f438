package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	// settles bounds waits for what normally takes milliseconds: other faults are
	// active, and the longest takes a minute and a half to be noticed, a list that
	// ZooKeeper silently stopped watching.
	settles = 2 * time.Minute
	// quiet is how long an instance must have had no request before it ends: each
	// client sends several within it.
	quiet = time.Second
)

// team is the instances of one application, as the application runs them.
type team struct {
	w     *world
	group string

	mu      sync.Mutex
	members []*rig.App
	taken   map[*rig.App]bool
}

func (t *team) node() string { return t.w.node(t.group) }

// join starts n instances and registers them. They are taken.
func (t *team) join(n int) (joined []*rig.App, err error) {
	for range n {
		app, err := rig.StartApp(t.group)
		if err != nil {
			return joined, err
		}
		joined = append(joined, app)
		t.mu.Lock()
		t.members = append(t.members, app)
		t.taken[app] = true
		t.mu.Unlock()
		if err := app.Register(t.w.registry, t.node()); err != nil {
			return joined, err
		}
	}
	return joined, nil
}

// leave removes instances like a well-behaved application: they unregister, and end
// when no worker has them any more and no request has come for a while.
func (t *team) leave(ctx context.Context, apps ...*rig.App) error {
	for _, app := range apps {
		if err := app.Unregister(); err != nil {
			return err
		}
	}
	return t.end(ctx, apps...)
}

// end is leave for instances that are not registered.
func (t *team) end(ctx context.Context, apps ...*rig.App) error {
	if err := t.w.eventually(ctx, fmt.Sprintf("%s leave %s", addrs(apps), t.group), func() error {
		return t.w.each(t.group, func(serving []string) error {
			for _, app := range apps {
				if slices.Contains(serving, app.Addr()) {
					return fmt.Errorf("%s still serves", app.Addr())
				}
			}
			return nil
		})
	}); err != nil {
		return err
	}
	for _, app := range apps {
		limited, cancel := context.WithTimeout(ctx, settles)
		err := app.Quiet(limited, quiet)
		cancel()
		if err != nil {
			return err
		}
		if err := app.Stop(); err != nil {
			return err
		}
		t.forget(app)
	}
	return nil
}

func (t *team) forget(app *rig.App) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.members = slices.DeleteFunc(t.members, func(a *rig.App) bool { return a == app })
	delete(t.taken, app)
}

// vanish deletes the rest of the application in ZooKeeper.
func (t *team) vanish() error { return t.w.registry.Delete(path.Dir(t.node())) }

// serve waits until every worker sends requests to all of apps.
func (t *team) serve(ctx context.Context, apps ...*rig.App) error {
	return t.w.eventually(ctx, fmt.Sprintf("%s serve %s", addrs(apps), t.group), func() error {
		return t.w.each(t.group, func(serving []string) error {
			for _, app := range apps {
				if !slices.Contains(serving, app.Addr()) {
					return fmt.Errorf("%s does not serve", app.Addr())
				}
			}
			return nil
		})
	})
}

// take returns n random members that are not taken; n = 0 means all members. It waits
// until there are enough. They stay taken until they are given back or have left.
func (t *team) take(ctx context.Context, dice *rand.Rand, n int) (taken []*rig.App, err error) {
	err = t.w.eventually(ctx, fmt.Sprintf("take %d of %s", n, t.group), func() (err error) {
		taken, err = t.takeNow(dice, n)
		return err
	})
	return taken, err
}

func (t *team) takeNow(dice *rand.Rand, n int) ([]*rig.App, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	free := slices.DeleteFunc(slices.Clone(t.members), func(a *rig.App) bool { return t.taken[a] })
	if n == 0 {
		n = len(free)
	}
	if len(free) < n {
		return nil, fmt.Errorf("%d are free", len(free))
	}
	dice.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	for _, app := range free[:n] {
		t.taken[app] = true
	}
	return free[:n], nil
}

// takeServing takes one member that every worker sends requests to.
func (t *team) takeServing(ctx context.Context, dice *rand.Rand) (*rig.App, error) {
	taken, err := t.take(ctx, dice, 1)
	if err != nil {
		return nil, err
	}
	if err := t.serve(ctx, taken...); err != nil {
		t.give(taken...)
		return nil, err
	}
	return taken[0], nil
}

// give gives back taken members.
func (t *team) give(apps ...*rig.App) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, app := range apps {
		delete(t.taken, app)
	}
}

// close ends all instances.
func (t *team) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, app := range t.members {
		errs = append(errs, app.Kill())
	}
	return errors.Join(errs...)
}

func addrs(apps []*rig.App) []string {
	list := []string{}
	for _, app := range apps {
		list = append(list, app.Addr())
	}
	slices.Sort(list)
	return list
}
