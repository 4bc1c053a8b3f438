package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// quiet waits until everything is as it should be without faults.
func (w *world) quiet(ctx context.Context) error {
	return w.eventually(ctx, "quiet", func() error {
		c, err := w.condition()
		if err != nil {
			return err
		}
		workers, err := w.workers()
		if err != nil {
			return err
		}
		switch {
		case c.ZooKeeper != "connected" || c.Problem != "" || len(c.Waiting)+len(c.Recalled) > 0:
			return fmt.Errorf("haproxy-zk is not well: %+v", c)
		case len(c.Held)+len(c.Damped)+len(c.Operator) > 0:
			return fmt.Errorf("not all is as ZooKeeper has it: %+v", c)
		case len(c.Generations) != 1 || len(c.Generations[0].PIDs) != len(workers):
			return fmt.Errorf("generations %+v, workers %v", c.Generations, workers)
		}
		return w.equal()
	})
}

// equal compares the servers of every worker with ZooKeeper, and both with the live
// instances.
func (w *world) equal() error {
	folder, _, _ := strings.Cut(w.config.ZKPath, "/${group}")
	registered, err := w.registry.Children(folder)
	if err != nil {
		return err
	}
	want := make(map[string][]string)
	for _, group := range registered {
		instances, err := w.registry.Children(w.node(group))
		if err != nil {
			return err
		}
		want[group] = slices.Sorted(slices.Values(instances))
	}
	living := make(map[string][]string)
	w.mu.Lock()
	for group, t := range w.teams {
		if len(t.members) > 0 {
			living[group] = addrs(t.members)
		}
	}
	w.mu.Unlock()
	if diff := cmp.Diff(living, want); diff != "" {
		return fmt.Errorf("ZooKeeper: -lives +registered\n%s", diff)
	}
	for _, socket := range w.config.Sockets() {
		servers, err := rig.ServersState(socket)
		if err != nil {
			return err
		}
		got := make(map[string][]string)
		for _, s := range servers {
			if s.Serving() {
				got[s.Backend] = rig.Serving(servers, s.Backend)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("worker behind %s: -registered +serves\n%s", socket, diff)
		}
	}
	return nil
}

// stop stops haproxy-zk gracefully: no request is lost, and nothing is left behind.
func (w *world) stop(ctx context.Context) error {
	daemon := w.running()
	if err := w.signal(syscall.SIGTERM); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, settles)
	defer cancel()
	code, err := daemon.Wait(limited)
	if err != nil {
		return err
	}
	var errs []error
	if code != 0 {
		errs = append(errs, fmt.Errorf("exit code %d after SIGTERM", code))
	}
	left, err := daemon.Leftovers()
	if err != nil || len(left) > 0 {
		errs = append(errs, fmt.Errorf("processes are left: %v, %w", left, err))
	}
	return errors.Join(errs...)
}
