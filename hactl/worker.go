package hactl

import (
	"context"
	"errors"
	"fmt"
)

// errOtherProcess says that another process than the expected one answered: an
// older generation shares the socket until it stops listening.
var errOtherProcess = errors.New("another process answered")

// worker is one HAProxy process and what it is believed to have.
type worker struct {
	pid    int
	client Client
	have   map[*group][]Server
	// stale is true when have is not known to be so: read before the next diff.
	stale bool
	// failures counts what went wrong in a row.
	failures int
}

// ask is [Client.Ask], sure of who answers: each write ends with a `show info`.
// It comes last so that nothing waits for it.
func (w *worker) ask(ctx context.Context, requests ...string) ([]string, error) {
	return w.client.askProcess(ctx, w.pid, requests)
}

// converge makes the worker's servers those of the tables. What is not confirmed
// is read back and tried once more.
func (w *worker) converge(ctx context.Context, groups []*group) (commands int, err error) {
	for attempt := 1; ; attempt++ {
		if w.stale {
			if err := w.read(ctx); err != nil {
				return commands, err
			}
		}
		var off, on []operation
		for _, g := range groups {
			groupOff, groupOn := diff(g, w.have[g])
			off, on = append(off, groupOff...), append(on, groupOn...)
		}
		if len(off)+len(on) == 0 {
			return commands, nil
		}
		done, err := w.carryOut(ctx, sequence(off, on))
		commands += done
		if err == nil {
			return commands, nil
		}
		w.stale = true
		if attempt == 2 || isTimeout(err) {
			return commands, err
		}
	}
}

// carryOut sends operations and believes those that are confirmed.
func (w *worker) carryOut(ctx context.Context, operations []operation) (done int, err error) {
	var requests []string
	for _, op := range operations {
		for _, c := range op.commands {
			requests = append(requests, c.String())
		}
	}
	replies, err := w.ask(ctx, requests...)
	if err != nil {
		return 0, err
	}
	var problems []error
	for _, op := range operations {
		confirmed := true
		for _, c := range op.commands {
			if err := c.Confirm(replies[0]); err != nil {
				problems = append(problems, err)
				confirmed = false
			} else {
				done++
			}
			replies = replies[1:]
		}
		if confirmed {
			w.have[op.group][op.slot] = op.after
		}
	}
	return done, errors.Join(problems...)
}

// read replaces what is believed by what the worker says.
func (w *worker) read(ctx context.Context) error {
	state, err := w.state(ctx)
	if err != nil {
		return err
	}
	for g, have := range w.have {
		for i := range have {
			actual, found := state[g.backend.Name][g.backend.Servers.name(i)]
			if !found {
				return fmt.Errorf("process %d has no server %s", w.pid, g.server(i))
			}
			have[i] = actual
		}
	}
	w.stale = false
	return nil
}

func (w *worker) state(ctx context.Context) (ServersState, error) {
	replies, err := w.ask(ctx, "show servers state")
	if err != nil {
		return nil, err
	}
	return ParseServersState(replies[0])
}

// sessions tells how many sessions run or wait on each server of a backend.
func (w *worker) sessions(ctx context.Context, backend string) (map[string]int, error) {
	replies, err := w.ask(ctx, "show stat "+backend+" 4 -1")
	if err != nil {
		return nil, err
	}
	return ParseSessions(replies[0])
}
