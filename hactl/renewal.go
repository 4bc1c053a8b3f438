package hactl

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/retry"
)

// renewals are the rounds in which the kept clients of a generation renew their
// connections. It is pure bookkeeping: it asks no worker, and the time is passed in.
//
// A kept client may use its connection to a slot's last instance again once the slot has
// another address (see [haproxy.Template.Renews]). So a slot waits for a round that
// begins after every worker has taken it out of service, and that is over once no client
// connection from before the round remains in any worker. There is one round at a time:
// departures during a round share the next one, so that a client renews its connection
// at most once per round, however many instances leave.
type renewals struct {
	// begun is the last round that has begun, done the last one that is over.
	begun, done uint64
	// at is when the workers are to be asked next; zero if no slot waits for a round.
	at    time.Time
	pause *backoff.ExponentialBackOff
}

func newRenewals() renewals {
	return renewals{pause: retry.Backoff(200*time.Millisecond, 2*time.Second)}
}

// next returns the round for slots that are out of service now.
func (r *renewals) next() uint64 { return r.begun + 1 }

// running reports whether a round is not over yet.
func (r *renewals) running() bool { return r.begun > r.done }

// begin begins a round that is later than a round known to a worker.
func (r *renewals) begin(known uint64) {
	r.begun = max(r.begun, known) + 1
	r.pause.Reset()
}

// end ends the running round.
func (r *renewals) end() {
	r.done = r.begun
	r.pause.Reset()
}

// again schedules the next question to the workers.
func (r *renewals) again(now time.Time) { r.at = now.Add(r.pause.NextBackOff()) }

// keeps reports whether kept clients of the group must renew their connections before
// its slots are reused.
func (f *fleet) keeps(g *group) bool {
	return slices.ContainsFunc(f.workers, func(w *worker) bool { return w.keeps[g] })
}

// atRest returns the group's draining slots of which only the sessions remain to be
// counted.
func (f *fleet) atRest(g *group) []int {
	if g.dynamic() {
		return nil // its servers are deleted instead
	}
	draining := g.table.Draining()
	if len(draining) == 0 || !f.keeps(g) {
		return draining
	}
	return slices.DeleteFunc(draining, func(i int) bool { return !g.table.Renewed(i, f.renewals.done) })
}

// unrenewed returns the group's draining slots that wait for a round of renewals.
func (f *fleet) unrenewed(g *group) []int {
	draining := g.table.Draining()
	if len(draining) == 0 || !f.keeps(g) || !f.runs(g) {
		return nil
	}
	return slices.DeleteFunc(draining, func(i int) bool { return g.table.Renewed(i, f.renewals.done) })
}

// awaitRound makes slots that every worker has taken out of service wait for the next
// round. It returns the last round that a slot waits for, and whether any slot waits.
func (f *fleet) awaitRound(groups []*group) (last uint64, waits bool) {
	for _, g := range groups {
		for _, i := range f.unrenewed(g) {
			if f.outOfService(g, i) {
				g.table.Await(i, f.renewals.next())
			}
			last, waits = max(last, g.table.Awaits(i)), true
		}
	}
	return last, waits
}

// renew begins the round of renewals that slots wait for, or finds out whether the
// running one is over. A worker that does not answer, or has missed the round, delays its
// end.
func (f *fleet) renew(ctx context.Context, groups []*group) {
	r := &f.renewals
	r.at = time.Time{}
	last, waits := f.awaitRound(groups)
	if !waits {
		return
	}
	clients, err := f.clients(ctx)
	known, over := uint64(0), err == nil
	for _, c := range clients {
		known = max(known, c.Round)
		over = over && c.Round == r.begun && c.OlderThan(r.begun) == 0
	}
	switch {
	case err != nil:
	case r.running() && over:
		r.end()
		f.countAt = f.opts.clock()
		_, waits = f.awaitRound(groups)
	case known > r.begun, !r.running() && last > r.begun:
		r.begin(known)
		err = f.beginRound(ctx, clients)
	case r.running():
		err = f.beginRound(ctx, clients)
	}
	if err != nil {
		f.opts.Logger.Debug("cannot make kept clients renew their connections, slots of deregistered instances stay unused for now", "round", r.begun, "error", err)
	}
	if waits {
		r.again(f.opts.clock())
	}
}

// clients returns the client connections of every worker.
func (f *fleet) clients(ctx context.Context) (map[*worker]haproxy.Clients, error) {
	all := make(map[*worker]haproxy.Clients, len(f.workers))
	var mu sync.Mutex
	errs := f.each(func(w *worker) error {
		replies, err := w.ask(ctx, haproxy.ShowClients)
		if err != nil {
			return err
		}
		c, err := haproxy.ParseClients(replies[0])
		mu.Lock()
		defer mu.Unlock()
		all[w] = c
		return err
	})
	return all, errors.Join(errs...)
}

// beginRound begins the round in the workers that are not in it yet.
func (f *fleet) beginRound(ctx context.Context, clients map[*worker]haproxy.Clients) error {
	return errors.Join(f.each(func(w *worker) error {
		if clients[w].Round == f.renewals.begun {
			return nil
		}
		replies, err := w.ask(ctx, clients[w].Renew(f.renewals.begun)...)
		if err != nil {
			return err
		}
		return haproxy.ConfirmRenewal(replies)
	})...)
}
