package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// ofOperators are what people do to HAProxy by hand.
func ofOperators() []fault {
	as := func(set, end string) func(context.Context, *world, step) error {
		return func(ctx context.Context, w *world, s step) error { return operate(ctx, w, s, set, end) }
	}
	short, long := 100*time.Millisecond, 3*time.Second
	return []fault{
		{name: "maint", weight: 2, least: short, most: long, do: as("state maint", "state ready")},
		{name: "drain", weight: 2, least: short, most: long, do: as("state drain", "state ready")},
		{name: "weight", weight: 2, least: short, most: long, do: as("weight 3", "weight 100%")},
		{name: "wrong address", weight: 1, do: readdress},
	}
}

// server finds an instance's server on the worker behind a socket.
func (w *world) server(socket, group string, app *rig.App) (string, error) {
	servers, err := rig.ServersState(socket)
	if err != nil {
		return "", err
	}
	for _, s := range servers {
		if s.Backend == group && s.Endpoint() == app.Addr() {
			return group + "/" + s.Name, nil
		}
	}
	return "", fmt.Errorf("no server of %s has %s", group, app.Addr())
}

// set changes an instance's server on one worker.
func (w *world) set(ctx context.Context, socket, group string, app *rig.App, what string) error {
	return w.eventually(ctx, what, func() error {
		server, err := w.server(socket, group, app)
		if err != nil {
			return err
		}
		answer, err := rig.Stats(socket, "set server "+server+" "+what)
		if err == nil && strings.Contains(answer, "is disabled") {
			err = errors.New(answer) // a worker that leaves
		}
		return err
	})
}

// operate changes a server on one worker, and on one of those that run then it ends.
func operate(ctx context.Context, w *world, s step, set, end string) error {
	dice := s.rand()
	t := w.team(shop)
	taken, err := t.take(dice, 1)
	if err != nil {
		return err
	}
	app := taken[0]
	defer t.give(app)
	if err := t.serve(ctx, app); err != nil {
		return err
	}
	sockets := w.config.Sockets()
	if err := w.set(ctx, sockets[dice.IntN(len(sockets))], t.group, app, set); err != nil {
		return err
	}
	s.keep(ctx)
	// The worker may not be the same, and what was set may have reached it or not.
	for _, socket := range sockets {
		if err := w.set(ctx, socket, t.group, app, end); err != nil {
			return err
		}
	}
	return t.serve(ctx, app)
}

// readdress lets a server point to an instance that nobody registered. It is found
// within the sweep's half minute, or by the next reload.
func readdress(ctx context.Context, w *world, s step) error {
	dice := s.rand()
	t := w.team(shop)
	taken, err := t.take(dice, 1)
	if err != nil {
		return err
	}
	app := taken[0]
	defer t.give(app)
	if err := t.serve(ctx, app); err != nil {
		return err
	}
	stranger, err := rig.StartApp(t.group)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(stranger.Addr())
	if err != nil {
		return err
	}
	sockets := w.config.Sockets()
	if err := w.set(ctx, sockets[dice.IntN(len(sockets))], t.group, app, "addr "+host+" port "+port); err != nil {
		return err
	}
	return errors.Join(t.serve(ctx, app), t.end(ctx, stranger))
}
