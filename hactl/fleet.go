package hactl

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/streak"
)

const (
	// A worker is replaced after this many consecutive failures.
	maxFailures = 2
	// A failed worker is retried after retryAfter.
	retryAfter = 100 * time.Millisecond
	// Sessions of draining slots are counted countFirst after the first instance left,
	// and then every countEvery until there are none. A renewal of the clients'
	// connections begins after countFirst too.
	countFirst = 200 * time.Millisecond
	countEvery = time.Second
	// How long new workers may take to answer on their sockets.
	adoptWithin = 5 * time.Second
	// Heartbeats are cheap; a late one means the worker deserves a full read.
	heartbeatWithin = time.Second
)

// fleet is the actual state: the workers of the serving generation and the confirmed
// servers of each.
type fleet struct {
	opts    *Options
	workers []*worker
	// shown are the workers for other goroutines.
	shown  atomic.Pointer[[]registry.Worker]
	deaths *deaths
	// outgoing is the serving generation while another layout is started; if empty it
	// is workers.
	outgoing outgoing
	// unread has the commands sent to failed workers of this generation: they may still
	// wait on the sockets.
	unread late
	// short lasts while no file descriptor is available to ask the workers.
	short streak.Streak
	// undeleted lasts while HAProxy does not confirm that servers were deleted.
	undeleted streak.Streak
	// runningVersion is the version of the serving generation.
	runningVersion haproxy.Version
	// versions are those that the metrics show.
	versions []string
	cadence  cadence // of the resyncs
	renewals renewals
	// changed logs changes of instances once every worker has them.
	changed changeLog

	// foreign are the names of backends that somebody else has added.
	foreign map[string]bool

	resyncAt    time.Time
	heartbeatAt time.Time
	countAt     time.Time // zero: no slot is draining
	deleteAt    time.Time // zero: no server is to be deleted
	retryAt     time.Time // zero: no worker is stale
}

func newFleet(o *Options) *fleet {
	return &fleet{opts: o, deaths: newDeaths(), changed: changeLog{opts: o}, renewals: newRenewals()}
}

// grown reports whether a table has slots that a worker does not have yet.
func (f *fleet) grown(rendered []*group) bool {
	return slices.ContainsFunc(f.workers, func(w *worker) bool {
		return slices.ContainsFunc(rendered, func(g *group) bool { return !g.dynamic() && len(w.have[g]) < len(g.table.Slots) })
	})
}

// runs reports whether every worker has the group.
func (f *fleet) runs(g *group) bool {
	return !slices.ContainsFunc(f.workers, func(w *worker) bool { return w.have[g] == nil })
}

// draining reports whether sessions are to be counted on slots that instances have left.
func (f *fleet) draining(groups []*group) bool {
	return slices.ContainsFunc(groups, func(g *group) bool { return f.runs(g) && len(f.atRest(g)) > 0 })
}

// awaitRest schedules the first count of the sessions of draining slots, and the renewal
// of their clients' connections, if there are any.
func (f *fleet) awaitRest(groups []*group) {
	waits := func(g *group) bool { return len(f.unrenewed(g)) > 0 }
	if f.renewals.at.IsZero() && slices.ContainsFunc(groups, waits) {
		f.renewals.at = f.opts.clock().Add(countFirst)
	}
	if f.countAt.IsZero() && f.draining(groups) {
		f.countAt = f.opts.clock().Add(countFirst)
	}
	for _, g := range groups {
		// A server rests from the first look after its instance has left, whatever others wait for.
		if f.abandoned(g) && g.looked != g.table.Version() || f.deleteAt.IsZero() && f.retiring(g) {
			g.looked = g.table.Version()
			f.deleteAt = earliest(f.deleteAt, f.opts.clock().Add(countFirst))
		}
	}
}

// begin schedules the first resync and the first heartbeat.
func (f *fleet) begin() {
	now := f.opts.clock()
	f.resyncAt, f.heartbeatAt = now.Add(f.opts.Resync), now.Add(f.opts.Heartbeat)
}

// next returns when the workers are to be asked or their changes logged, even if
// nothing arrives.
func (f *fleet) next() time.Time { return earliest(f.heartbeatAt, f.nextChange()) }

// nextChange is next without the heartbeat, which changes nothing.
func (f *fleet) nextChange() time.Time {
	return earliest(f.resyncAt, f.countAt, f.deleteAt, f.renewals.at, f.retryAt, f.changed.due())
}
