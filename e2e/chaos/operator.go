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

// ofOperators are manual changes of HAProxy.
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

// server returns an instance's server from the worker behind a socket.
func (w *world) server(socket, group string, app *rig.App) (rig.Server, error) {
	servers, err := rig.ServersState(socket)
	if err != nil {
		return rig.Server{}, err
	}
	for _, s := range servers {
		if s.Backend == group && s.Endpoint() == app.Addr() {
			return s, nil
		}
	}
	return rig.Server{}, fmt.Errorf("no server of %s has %s", group, app.Addr())
}

// set changes an instance's server on one worker.
func (w *world) set(socket, group string, app *rig.App, what string) error {
	server, err := w.server(socket, group, app)
	if err != nil {
		return err
	}
	answer, err := rig.Stats(socket, "set server "+group+"/"+server.Name+" "+what)
	if err == nil && strings.Contains(answer, "is disabled") {
		err = errors.New(answer) // a worker that is ending
	}
	return err
}

// operate changes a server on one worker, and reverts it.
func operate(ctx context.Context, w *world, s step, set, end string) error {
	dice := s.rand()
	t := w.team(shop)
	app, err := t.takeServing(ctx, dice)
	if err != nil {
		return err
	}
	defer t.give(app)
	sockets := w.config.Sockets()
	socket := sockets[dice.IntN(len(sockets))]
	if err := w.eventually(ctx, set, func() error { return w.set(socket, t.group, app, set) }); err != nil {
		return err
	}
	s.keep(ctx)
	// Other workers may have followed, and one that is just being replaced may have got
	// the command: repeat until it is reverted.
	return w.eventually(ctx, end, func() error {
		for _, socket := range sockets {
			switch server, err := w.server(socket, t.group, app); {
			case err != nil:
				return err
			case server.Serving() && server.Weight == 1:
			default:
				return errors.Join(fmt.Errorf("%s is %+v", app.Addr(), server), w.set(socket, t.group, app, end))
			}
		}
		c, err := w.condition()
		if override := c.Operator[t.group][app.Addr()]; err == nil && override != "" {
			err = fmt.Errorf("%s is still reported as an operator's: %s", app.Addr(), override)
		}
		return err
	})
}

// readdress points a server to an instance that is not registered. That is found by a
// resync within half a minute, or by the next reload.
func readdress(ctx context.Context, w *world, s step) error {
	dice := s.rand()
	t := w.team(shop)
	app, err := t.takeServing(ctx, dice)
	if err != nil {
		return err
	}
	defer t.give(app)
	stranger, err := rig.StartApp(t.group)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(stranger.Addr())
	if err != nil {
		return err
	}
	sockets := w.config.Sockets()
	socket, what := sockets[dice.IntN(len(sockets))], "addr "+host+" port "+port
	if err := w.eventually(ctx, what, func() error { return w.set(socket, t.group, app, what) }); err != nil {
		return err
	}
	return errors.Join(t.serve(ctx, app), t.end(ctx, stranger))
}
