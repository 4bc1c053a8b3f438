package hactl

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/retry"
	"github.com/haproxy-zk/haproxy-zk/streak"
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
	// irreparable is the streak of failed repairs of any of them.
	irreparable streak.Streak
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
	noticed []difference
	// refused has the replies of HAProxy that refused to add a server, by group: no more
	// are added to these.
	refused map[*group]string
	// foreign are servers found in dynamic groups that have no slot; alien is a group with
	// one whose name is not that of an address.
	foreign []foreignServer
	alien   *group
	backends
	last lastFigures
	// failures counts consecutive failures.
	failures int
	// rejecting is their streak in the log.
	rejecting streak.Streak
	// droppedLogs is the number of dropped log lines at its last heartbeat, version what
	// the process said then that it is; empty before the first one.
	droppedLogs int
	version     string
}

// difference is a server that is not as it is known.
type difference struct {
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
	replies, err := client.Ask(ctx, haproxy.ShowInfo)
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
		done, err := w.convergeOnce(ctx, groups)
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
		w.pad(g)
		groupOff, groupOn := slots.Diff(g.carrier, g.table.Slots, w.have[g])
		if w.refused[g] != "" {
			groupOn = slices.DeleteFunc(groupOn, func(op slots.Operation) bool { return w.have[g][op.Slot].Absent })
		}
		if len(groupOff)+len(groupOn) == 0 {
			w.equal[g] = g.table.Version()
		}
		off, on = append(off, groupOff...), append(on, groupOn...)
	}
	return off, on
}

// pad makes the known servers of a dynamic group as many as its slots: the worker lacks the
// others.
func (w *worker) pad(g *group) {
	have, runs := w.have[g]
	if !runs || !g.dynamic() {
		return
	}
	for len(have) < len(g.table.Slots) {
		have = append(have, haproxy.Server{Absent: true})
	}
	w.have[g] = have
}

// put records the worker's server in a slot.
func (w *worker) put(g *group, slot int, now haproxy.Server) {
	w.have[g][slot] = now
	delete(w.equal, g)
}

// putMade records what commands made of the server in a slot: one that has entered has
// begun its slow start, if it has one, until the worker is read.
func (w *worker) putMade(g *group, slot int, now haproxy.Server) {
	before := w.have[g][slot]
	entered := before.Admin != haproxy.Ready || before.Addr != now.Addr
	now.Starting = g.slowStarts && now.Admin == haproxy.Ready && (entered || before.Starting)
	w.put(g, slot, now)
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
		confirmed, refused := true, false
		for _, c := range op.Commands {
			err := c.Confirm(replies[0])
			switch {
			case err == nil:
				done++
			case haproxy.LacksBackend(replies[0]) && w.byName[op.Backend] != nil && w.byName[op.Backend].live():
				w.lost = append(w.lost, w.byName[op.Backend])
				w.lose(w.byName[op.Backend])
				problems = append(problems, err)
			case c.Refused(replies[0]):
				refused = true
				w.refuse(op, replies[0])
			case !refused: // otherwise there is no such server
				problems = append(problems, err)
			}
			confirmed = confirmed && err == nil
			replies = replies[1:]
		}
		if g := w.byName[op.Backend]; confirmed && g != nil {
			w.putMade(g, op.Slot, op.After)
		}
	}
	return done, errors.Join(problems...)
}

// refuse records that HAProxy refused to add a server.
func (w *worker) refuse(op slots.Operation, reply string) {
	if w.refused == nil {
		w.refused = make(map[*group]string)
	}
	w.refused[w.byName[op.Backend]] = fmt.Sprintf("%.200q", reply)
}

// read replaces the known servers with those that the worker reports, except for
// operators' overrides, which the loop has to learn of first.
func (w *worker) read(ctx context.Context) error {
	all, err := w.differingOfAll(ctx)
	if err != nil {
		return err
	}
	for _, d := range all {
		if w.observe(d.group, d.slot, d.server).Operator {
			w.noticed = append(w.noticed, d)
		} else {
			w.put(d.group, d.slot, d.server)
		}
	}
	w.stale, w.late = false, late{}
	return nil
}

// differingOfAll is differing, except that the lack of a server is an error.
func (w *worker) differingOfAll(ctx context.Context) ([]difference, error) {
	all, seen, err := w.differing(ctx)
	if err != nil {
		return nil, err
	}
	known := 0
	for g, have := range w.have {
		if !g.dynamic() { // those of others may come and go
			known += len(have)
		}
	}
	if seen < known {
		return nil, fmt.Errorf("process %d has %d of %d servers", w.pid, seen, known)
	}
	return all, nil
}

// differing returns the servers of the given groups, or of all, that are not as they are
// known, except for weights set by agent checks, and how many known ones the worker has
// reported.
func (w *worker) differing(ctx context.Context, of ...*group) (all []difference, seen int, err error) {
	has := make(map[*group][]bool) // the slots of dynamic groups whose servers the worker has
	err = w.eachServer(ctx, func(g *group, slot int, actual haproxy.Server) {
		if g.dynamic() {
			if has[g] == nil {
				has[g] = make([]bool, len(w.have[g]))
			}
			has[g][slot] = true
		} else {
			seen++
		}
		known := w.have[g][slot]
		if actual = withoutAgentWeight(actual, known); actual != known {
			all = append(all, difference{g, slot, actual})
		}
	}, of...)
	if err == nil {
		all = append(all, w.lacking(has, of)...)
	}
	return all, seen, err
}

// lacking returns the known servers of dynamic groups, of the given ones or of all, that the
// worker does not have.
func (w *worker) lacking(has map[*group][]bool, of []*group) (gone []difference) {
	for g, have := range w.have {
		if !g.dynamic() || len(of) > 0 && !slices.Contains(of, g) {
			continue
		}
		for i, known := range have {
			if !known.Absent && (has[g] == nil || !has[g][i]) {
				gone = append(gone, difference{g, i, haproxy.Server{Absent: true}})
			}
		}
	}
	return gone
}

// eachServer asks the worker for the servers of the given groups, or of all, and calls
// take for each slot. If it returns an error, they may be those of another worker.
// Groups that the worker does not have yet are omitted: HAProxy answers a request for a
// single unknown backend with no table.
func (w *worker) eachServer(ctx context.Context, take func(g *group, slot int, actual haproxy.Server), of ...*group) error {
	requests := []string{"show servers state"}
	if len(of) > 0 {
		requests = requests[:0]
		for _, g := range of {
			if w.have[g] != nil {
				requests = append(requests, "show servers state "+g.backend.Name)
			}
		}
		if len(requests) == 0 {
			return nil
		}
	}
	for g := range w.have {
		w.pad(g)
	}
	w.foreign, w.alien = nil, nil
	var g *group // of the line before: a backend's servers follow each other
	var have []haproxy.Server
	lines := haproxy.NewServerLines(func(l *haproxy.ServerLine) error {
		if g == nil || string(l.Backend()) != g.backend.Name {
			g = w.byName[string(l.Backend())]
			have = w.have[g]
		}
		if g == nil {
			return nil
		}
		slot, found := g.carrier.Find(g.table, l.Name())
		if !found && g.dynamic() {
			return w.meetForeign(g, l)
		}
		if !found || slot >= len(have) {
			return nil
		}
		actual, err := l.Server(have[slot])
		if err == nil {
			take(g, slot, actual)
		}
		return err
	})
	ctx, stop := w.whileAlive(ctx)
	defer stop()
	if _, err := w.client.AskLines(ctx, w.pid, lines.Take, requests...); err != nil {
		return err
	}
	return lines.Complete()
}

// meetForeign records a server that has no slot.
func (w *worker) meetForeign(g *group, l *haproxy.ServerLine) error {
	addr, named := haproxy.ParseAddressName(l.Name())
	if !named {
		w.alien = g
		return nil
	}
	actual, err := l.Server(haproxy.Server{})
	if err == nil {
		w.foreign = append(w.foreign, foreignServer{g, addr, actual})
	}
	return err
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
