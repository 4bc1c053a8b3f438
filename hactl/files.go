package hactl

import (
	"hash/maphash"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// filesDelay is how long after a change the files of the configuration are rendered again:
// others may follow.
const filesDelay = time.Second

// files decides when the files of the running configuration are rendered again, so that
// they have what the workers have got since their start.
type files struct {
	seed maphash.Seed
	// source identifies what they were rendered from.
	source   uint64
	at       time.Time // zero: nothing has changed since
	earliest time.Time
	cadence  cadence
}

func newFiles() files { return files{seed: maphash.MakeSeed()} }

// filesSource identifies what the files are rendered from, without looking at servers.
func (c *Controller) filesSource() uint64 {
	var h maphash.Hash
	h.SetSeed(c.files.seed)
	for _, g := range c.desired.groups {
		if !g.leftOut() && (!g.live() || c.fleet.serves(g)) {
			maphash.WriteComparable(&h, g)
			maphash.WriteComparable(&h, g.table.Version())
		}
	}
	return h.Sum64()
}

// keepFiles hands over the files of what every worker runs some time after that has
// changed. Rendering takes at most one of [resyncShare] parts of a core, unless that would
// take longer than [longestResync].
func (c *Controller) keepFiles() {
	f, now := &c.files, c.opts.clock()
	if f.at.IsZero() && c.filesSource() != f.source {
		f.plan(now)
	}
	switch {
	case f.at.IsZero() || f.at.After(now):
		return
	case !c.fleet.upToDate() || c.fleet.runningVersion != c.desired.layout.Frame.Version:
		f.at = now.Add(filesDelay)
		return
	}
	f.at, f.source = time.Time{}, c.filesSource()
	began := time.Now()
	c.opts.Reloader.Rewrite(c.runningFiles())
	f.earliest = now.Add(f.cadence.next(time.Since(began), filesDelay))
}

// plan schedules the next rendering, unless one is.
func (f *files) plan(now time.Time) {
	if !f.at.IsZero() {
		return
	}
	f.at = now.Add(filesDelay)
	if f.earliest.After(f.at) {
		f.at = f.earliest
	}
}

// runningFiles returns the files of what every worker runs of the desired state: without
// what waits for a reload.
func (c *Controller) runningFiles() registry.Launch {
	r := rendition{layout: c.desired.layout}
	var rows [][]haproxy.Row
	for _, g := range c.desired.rendered() {
		if c.fleet.serves(g) {
			r.groups, rows = append(r.groups, g), append(rows, c.fleet.rows(g))
		}
	}
	return registry.Launch{Config: r.render(rows), Maps: r.mapFiles()}
}

// upToDate reports whether there are workers and all of them have the desired state, as far
// as that needs no reload.
func (f *fleet) upToDate() bool {
	return len(f.workers) > 0 && f.retryAt.IsZero() && !slices.ContainsFunc(f.workers, func(w *worker) bool { return w.failures > 0 || w.stale })
}

// serves reports whether requests reach a group in every worker.
func (f *fleet) serves(g *group) bool {
	return !slices.ContainsFunc(f.workers, func(w *worker) bool { return w.have[g] == nil || g.live() && !w.published[g] })
}

// rows returns how the servers of a group are rendered that every worker has. Instances that
// have left and keep their sessions would get new requests from an HAProxy that is not
// commanded to drain them.
func (f *fleet) rows(g *group) []haproxy.Row {
	rows := g.carrier.Rows(g.table)
	if g.dynamic() {
		return slices.DeleteFunc(rows, func(r haproxy.Row) bool {
			slot, _ := g.table.At(r.Addr)
			lacks := func(w *worker) bool { return slot >= len(w.have[g]) || w.have[g][slot].Absent }
			return g.table.Slots[slot].Leaving() || slices.ContainsFunc(f.workers, lacks)
		})
	}
	for _, w := range f.workers {
		rows = rows[:min(len(rows), len(w.have[g]))]
	}
	for i := range rows {
		if g.table.Slots[i].Leaving() {
			rows[i] = haproxy.Row{}
		}
	}
	return rows
}
