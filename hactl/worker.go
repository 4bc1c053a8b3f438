package hactl

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// errOtherProcess says that another process than the expected one answered: an
// older generation shares the socket until it stops listening.
var errOtherProcess = errors.New("another process answered")

// worker is one HAProxy process and what it is believed to have.
type worker struct {
	pid int
	// life is done when the process has died.
	life   context.Context
	client Client
	have   map[*group][]Server
	// stale is true when have is not known to be so: read before the next diff.
	stale bool
	// late is what may come over it, though nobody wants it any more, until it is read.
	late late
	// noticed is what operators were found to have done when it was read.
	noticed []wish
	// failures counts what went wrong in a row.
	failures int
	// droppedLogs is how many lines of its log it had dropped at its last beat.
	droppedLogs int
}

// wish is a server as an operator has made it.
type wish struct {
	group  *group
	slot   int
	server Server
}

// ask is [Client.Ask], sure of who answers: each write ends with a `show info`.
// It comes last so that nothing waits for it.
func (w *worker) ask(ctx context.Context, requests ...string) ([]string, error) {
	ctx, release := w.whileAlive(ctx)
	defer release()
	return w.client.askProcess(ctx, w.pid, requests)
}

// whileAlive is ctx until the worker has died; the cause is errDied then.
func (w *worker) whileAlive(ctx context.Context) (alive context.Context, release func()) {
	alive, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(w.life, func() { cancel(errDied) })
	return alive, func() {
		stop()
		cancel(nil)
	}
}

// beat asks the worker for a sign of life. It returns how many lines of its log it
// has dropped since it gave the last one.
func (w *worker) beat(ctx context.Context) (dropped int, err error) {
	ctx, release := w.whileAlive(ctx)
	defer release()
	client := w.client
	client.Timeout = min(client.Timeout, beatWithin)
	replies, err := client.Ask(ctx, "show info")
	if err != nil {
		return 0, err
	}
	if err := answeredBy(w.pid, replies[0]); err != nil {
		return 0, err
	}
	all, err := ParseDroppedLogs(replies[0])
	if err != nil {
		return 0, err
	}
	dropped, w.droppedLogs = max(0, all-w.droppedLogs), all
	return dropped, nil
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
		if !errors.Is(err, errOtherProcess) && !noDescriptor(err) {
			w.late.add(operations)
		}
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

// read replaces what is believed by what the worker says, but for what an operator
// has done, which the loop has to hear of first.
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
			actual = g.heed(actual, have[i])
			if w.observe(g, i, actual).operator {
				w.noticed = append(w.noticed, wish{g, i, actual})
				continue
			}
			have[i] = actual
		}
	}
	w.stale, w.late = false, late{}
	return nil
}

// observe compares one of the worker's servers, as it says it has it, with what was
// believed. Where commands may have come late it is they who changed it.
func (w *worker) observe(g *group, slot int, actual Server) observation {
	seen := observe(g.table.Slots[slot], w.have[g][slot], actual)
	if seen.operator && w.late.has(g, slot) {
		return observation{drift: true}
	}
	return seen
}

// state is what the worker says of the servers of some groups, or of all. Groups
// that it has not got yet are left out: asked for one HAProxy says no table.
func (w *worker) state(ctx context.Context, of ...*group) (ServersState, error) {
	requests := []string{"show servers state"}
	if len(of) > 0 {
		requests = requests[:0]
		for _, g := range of {
			if w.have[g] != nil {
				requests = append(requests, "show servers state "+g.backend.Name)
			}
		}
	}
	replies, err := w.ask(ctx, requests...)
	if err != nil {
		return nil, err
	}
	all := make(ServersState)
	for _, reply := range replies {
		state, err := ParseServersState(reply)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, state)
	}
	return all, nil
}

// Up to one slot in so many is asked for by itself: the statistics of a whole
// backend of a thousand servers keep a worker from its requests for milliseconds,
// those of one server repeat the header.
const fewSlots = 4

// sessions tells by server's name how many sessions run or wait on the servers
// at some slots of a group.
func (w *worker) sessions(ctx context.Context, g *group, slots []int) (map[string]int, error) {
	requests := []string{"show stat " + g.backend.Name + " 4 -1"}
	if len(slots) <= max(1, len(g.table.Slots)/fewSlots) {
		requests = requests[:0]
		for _, i := range slots {
			// A server's id is its place in the backend, from 1 on.
			requests = append(requests, fmt.Sprintf("show stat %s 4 %d", g.backend.Name, i+1))
		}
	}
	replies, err := w.ask(ctx, requests...)
	if err != nil {
		return nil, err
	}
	all := make(map[string]int)
	for _, reply := range replies {
		sessions, err := ParseSessions(reply)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, sessions)
	}
	for _, i := range slots {
		if _, found := all[g.backend.Servers.name(i)]; !found {
			return nil, fmt.Errorf("process %d tells no sessions of %s: has it an id of its own?", w.pid, g.server(i))
		}
	}
	return all, nil
}
