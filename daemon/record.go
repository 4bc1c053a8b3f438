package daemon

import (
	"context"
	"sync"

	"github.com/haproxy-zk/haproxy-zk/events"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// record has the events of the daemon, and of its previous processes.
type record struct {
	ring    *events.Ring
	journal *events.Journal
	loading sync.WaitGroup
}

// newRecord returns a record that loads the events of the previous processes; wait for
// that with loaded.
func newRecord(o Options) *record {
	ring := events.NewRing()
	r := &record{ring: ring, journal: events.NewJournal(events.JournalOptions{
		Dir:     o.StateDir,
		Ring:    ring,
		Logger:  o.Logger.With("component", "events"),
		Metrics: events.NewMetrics(o.Metrics),
		Remedy:  func(err error) string { return plan.FolderRemedy("STATE_DIR", o.StateDir, err) },
	})}
	r.loading.Go(r.journal.Load)
	return r
}

// loaded waits until the events of the previous processes are loaded. Call it before
// anything is reported.
func (r *record) loaded() { r.loading.Wait() }

// run writes events until ctx is done, then the rest.
func (r *record) run(ctx context.Context) { r.journal.Run(ctx) }

func (r *record) report(e registry.Event) { r.ring.Append(e) }

// of returns a function that reports events of a proxy.
func (r *record) of(proxy string) func(registry.Event) {
	return func(e registry.Event) {
		e.Proxy = proxy
		r.ring.Append(e)
	}
}
