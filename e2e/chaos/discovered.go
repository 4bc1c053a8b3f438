package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// few is the number of instances of a group that leaves as a whole: three that leave at
// once would be held.
const few = 2

// ofGroups are the faults of groups that are added and removed.
func ofGroups() []fault {
	return []fault{{name: "a group comes and goes", weight: 1, least: 500 * time.Millisecond, most: 4 * time.Second, do: discover}}
}

// discover adds a discovered group, waits until it serves, and removes it.
func discover(ctx context.Context, w *world, s step) error {
	t := w.team(fmt.Sprintf("new%d", s.rand().IntN(3)))
	joined, err := t.join(few)
	if err == nil {
		err = t.serve(ctx, joined...)
	}
	if err == nil {
		err = w.during(ctx, s, t.group)
	}
	if err == nil {
		err = t.leave(ctx, joined...)
	}
	if err != nil {
		return err
	}
	return t.vanish()
}

// during sends requests to a group for the duration of a step. A generation that does
// not know the group yet may still accept for a moment.
func (w *world) during(ctx context.Context, s step, group string) error {
	if err := w.settled(ctx, group); err != nil {
		return err
	}
	load, err := w.drive(ctx, rig.LoadOptions{Addr: w.config.Listener(), KeepAlive: 1, Fresh: 1, Targets: []rig.Target{{Path: "/" + group + "/x", App: group}}})
	if err != nil {
		return err
	}
	s.keep(ctx)
	load.Stop()
	return nil
}
