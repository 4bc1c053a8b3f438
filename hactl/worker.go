package hactl

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/retry"
)

// worker is one HAProxy process and the servers that it is known to have.
type worker struct {
	pid int
	// life is done when the process has died.
	life   context.Context
	client haproxy.Client
	have   map[*group][]haproxy.Server
	// maps are those of its configuration.
	maps []haproxy.Map
	// mapsFailed is true while one of them cannot be repaired.
	mapsFailed bool
	// agents has the agent checks of each group's servers at the worker's start.
	agents map[*group]haproxy.Agent
	// keeps has the groups whose kept clients stay on the connection to a server that
	// gets another address.
	keeps map[*group]bool
	// byName has the groups in have by backend name.
	byName map[string]*group
	// equal is the version of each group's table that the servers last matched; only
	// put changes have, and it clears the version.
	equal map[*group]uint64
	// stale is true if have may be wrong: the worker is read before the next diff.
	stale bool
	// late has the servers that abandoned commands may still change until they are
	// read.
	late late
	// noticed has the overrides found when the worker was read.
	noticed []operatorOverride
	// failures counts consecutive failures.
	failures int
	// droppedLogs is the number of dropped log lines at its last heartbeat, version what
	// the process said then that it is; empty before the first one.
	droppedLogs int
	version     string
}

// operatorOverride is a server as an operator has set it.
type operatorOverride struct {
	group  *group
	slot   int
	server haproxy.Server
}

// ask is [haproxy.Client.AskProcess], canceled when the worker dies.
func (w *worker) ask(ctx context.Context, requests ...string) ([]string, error) {
	return w.askAtMost(ctx, 0, requests...)
}

// askAtMost is ask with [haproxy.Client.MaxReply].
func (w *worker) askAtMost(ctx context.Context, most int64, requests ...string) ([]string, error) {
	ctx, stop := w.whileAlive(ctx)
	defer stop()
	client := w.client
	client.MaxReply = most
	return client.AskProcess(ctx, w.pid, requests...)
}

// whileAlive returns a context that is canceled with the cause errDied when the worker
// dies.
func (w *worker) whileAlive(ctx context.Context) (alive context.Context, stop func()) {
	alive, cancel := context.WithCancelCause(ctx)
	unwatch := context.AfterFunc(w.life, func() { cancel(errDied) })
	return alive, func() {
		unwatch()
		cancel(nil)
	}
}

// heartbeat sends the worker a heartbeat. It returns how many log lines it has dropped
// since the last one.
func (w *worker) heartbeat(ctx context.Context) (dropped int, err error) {
	ctx, stop := w.whileAlive(ctx)
	defer stop()
	client := w.client
	client.Timeout = min(client.Timeout, heartbeatWithin)
	replies, err := client.Ask(ctx, "show info")
	if err != nil {
		return 0, err
	}
	if err := haproxy.AnsweredBy(w.pid, replies[0]); err != nil {
		return 0, err
	}
	all, err := haproxy.ParseDroppedLogs(replies[0])
	if err != nil {
		return 0, err
	}
	dropped, w.droppedLogs = max(0, all-w.droppedLogs), all
	if version, err := haproxy.ParseRunningVersion(replies[0]); err == nil {
		w.version = version
	}
	return dropped, nil
}

// converge makes the worker's servers match the tables. Unconfirmed changes are read
// back and retried once.
func (w *worker) converge(ctx context.Context, groups []*group) (commands int, err error) {
	for attempt := 1; ; attempt++ {
		if w.stale {
			if err := w.read(ctx); err != nil {
				return commands, err
			}
		}
		off, on := w.differences(groups)
		if len(off)+len(on) == 0 {
			return commands, nil
		}
		done, err := w.carryOut(ctx, slots.Sequence(off, on))
		commands += done
		if err == nil {
			return commands, nil
		}
		w.stale = true
		if attempt == 2 || haproxy.IsTimeout(err) {
			return commands, err
		}
	}
}

// differences returns the operations that make the worker's servers match the tables.
// Groups that have not changed since the last comparison are skipped.
func (w *worker) differences(groups []*group) (off, on []slots.Operation) {
	for _, g := range groups {
		if w.equal[g] == g.table.Version() {
			continue
		}
		groupOff, groupOn := slots.Diff(&g.backend, g.table.Slots, w.have[g])
		if len(groupOff)+len(groupOn) == 0 {
			w.equal[g] = g.table.Version()
		}
		off, on = append(off, groupOff...), append(on, groupOn...)
	}
	return off, on
}

// put records the worker's server in a slot.
func (w *worker) put(g *group, slot int, now haproxy.Server) {
	w.have[g][slot] = now
	delete(w.equal, g)
}

// carryOut sends operations and records those that are confirmed.
func (w *worker) carryOut(ctx context.Context, operations []slots.Operation) (done int, err error) {
	var requests []string
	for _, op := range operations {
		for _, c := range op.Commands {
			requests = append(requests, c.String())
		}
	}
	replies, err := w.ask(ctx, requests...)
	if err != nil {
		if !errors.Is(err, haproxy.ErrOtherProcess) && !retry.NoDescriptor(err) {
			w.late.add(operations)
		}
		return 0, err
	}
	var problems []error
	for _, op := range operations {
		confirmed := true
		for _, c := range op.Commands {
			if err := c.Confirm(replies[0]); err != nil {
				problems = append(problems, err)
				confirmed = false
			} else {
				done++
			}
			replies = replies[1:]
		}
		if confirmed {
			w.put(w.byName[op.Backend], op.Slot, op.After)
		}
	}
	return done, errors.Join(problems...)
}

// read replaces the known servers with those that the worker reports, except for
// operators' overrides, which the loop has to learn of first.
func (w *worker) read(ctx context.Context) error {
	err := w.eachServer(ctx, func(g *group, i int, actual haproxy.Server) {
		known := w.have[g][i]
		actual = withoutAgentWeight(actual, known)
		switch {
		case w.observe(g, i, actual).Operator:
			w.noticed = append(w.noticed, operatorOverride{g, i, actual})
		case actual != known:
			w.put(g, i, actual)
		}
	})
	if err != nil {
		return err
	}
	w.stale, w.late = false, late{}
	return nil
}

// eachServer asks the worker for its servers, and calls take for each slot. A slot
// without a server is an error.
func (w *worker) eachServer(ctx context.Context, take func(g *group, slot int, actual haproxy.Server)) error {
	state, err := w.state(ctx)
	if err != nil {
		return err
	}
	for g, have := range w.have {
		for i := range have {
			actual, found := state[g.backend.Name][g.backend.Servers.Name(i)]
			if !found {
				return fmt.Errorf("process %d has no server %s", w.pid, g.server(i))
			}
			take(g, i, actual)
		}
	}
	return nil
}

// observe compares a server reported by the worker with the known one. If late commands
// may have changed it, the difference is not an operator's.
func (w *worker) observe(g *group, slot int, actual haproxy.Server) slots.Observation {
	seen := slots.Observe(g.table.Slots[slot], w.have[g][slot], actual)
	if seen.Operator && w.late.has(g, slot) {
		return slots.Observation{Drift: true}
	}
	return seen
}

// state returns the servers of the given groups, or of all, as the worker reports them.
// Groups that the worker does not have yet are omitted: HAProxy answers a request for a
// single unknown backend with no table.
func (w *worker) state(ctx context.Context, of ...*group) (haproxy.ServersState, error) {
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
	all := make(haproxy.ServersState)
	for _, reply := range replies {
		state, err := haproxy.ParseServersState(reply)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, state)
	}
	return all, nil
}

// fewSlots is the divisor for individual queries: at most one in this many slots is
// queried by itself. The statistics of a whole backend with a thousand servers block
// the worker for milliseconds, while those of one server repeat the header.
const fewSlots = 4

// statistics returns, by server name, the statistics of the servers at some slots of a
// group, and maybe of others.
func (w *worker) statistics(ctx context.Context, g *group, of []int) (map[string]haproxy.Stats, error) {
	requests := []string{"show stat " + g.backend.Name + " 4 -1"}
	if len(of) <= max(1, len(g.table.Slots)/fewSlots) {
		requests = requests[:0]
		for _, i := range of {
			// A server's id is its index in the backend, starting at 1.
			requests = append(requests, fmt.Sprintf("show stat %s 4 %d", g.backend.Name, i+1))
		}
	}
	replies, err := w.ask(ctx, requests...)
	if err != nil {
		return nil, err
	}
	all := make(map[string]haproxy.Stats)
	for _, reply := range replies {
		servers, err := haproxy.ParseStats(reply)
		if err != nil {
			return nil, err
		}
		for _, s := range servers {
			all[s.Server] = s
		}
	}
	for _, i := range of {
		if _, found := all[g.backend.Servers.Name(i)]; !found {
			return nil, fmt.Errorf("process %d reports no sessions of %s; remove the id parameter from the server options", w.pid, g.server(i))
		}
	}
	return all, nil
}
