package syncer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// maxGroups bounds the discovered groups, which other parties may create: each costs a
// watch, and servers in every HAProxy worker.
const maxGroups = 5000

// discoveryFollower follows the children of a path as groups. Like a group it outlives links and
// sessions.
type discoveryFollower struct {
	log    *slog.Logger
	limit  int
	parent *groupFollower // run sets its deliver
	sink   Sink
	make   func(name string) *groupFollower // nil for an unsafe name
	except map[string]bool                  // groups that are followed elsewhere
	// overfull is true while there are more groups than limit.
	overLimit bool

	known map[string]*groupFollower
}

// run follows the groups over one session until ctx is done.
func (d *discoveryFollower) run(ctx context.Context, t tree, ls *links) {
	var following sync.WaitGroup
	defer following.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	leave, left := make(map[string]context.CancelFunc), make(map[string]<-chan struct{})
	follow := func(name string) {
		if before := left[name]; before != nil {
			<-before // it may still be delivering an old list
		}
		one, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		g := d.known[name]
		leave[name], left[name] = cancel, ended
		following.Go(func() {
			defer close(ended)
			g.run(one, t, ls)
			if ctx.Err() == nil {
				g.ended()
			}
		})
	}
	for name := range d.known {
		follow(name)
	}
	d.parent.deliver = func(_ context.Context, names []string, _ time.Time) {
		exists := make(map[string]bool, len(names))
		room := d.limit
		for _, name := range names {
			exists[name] = true
			if d.known[name] != nil {
				room--
			}
		}
		var listed []string
		made, dropped := make(map[string]*groupFollower), 0
		for _, name := range names {
			if d.except[name] {
				continue
			}
			if d.known[name] == nil {
				switch g := d.make(name); {
				case g == nil: // unsafe, which the sink logs
				case room == 0:
					dropped++
					continue
				default:
					made[name] = g
					room--
				}
			}
			listed = append(listed, name)
		}
		d.logDropped(dropped)
		// The sink must know a group before its instances arrive.
		d.sink.SetGroups(registry.Discovered{Names: listed})
		for name, end := range left {
			select {
			case <-end:
				delete(left, name)
			default:
			}
		}
		for name, cancel := range leave {
			if !exists[name] {
				cancel()
				delete(leave, name)
				delete(d.known, name)
			}
		}
		for _, name := range listed {
			if g := made[name]; g != nil {
				d.known[name] = g
				follow(name)
			}
		}
	}
	d.parent.run(ctx, t, ls)
}

// logDropped logs when the limit of groups begins and ceases to be exceeded.
func (d *discoveryFollower) logDropped(n int) {
	switch {
	case n > 0 && !d.overLimit:
		d.log.Error("more groups discovered than the limit; known groups stay, the rest is not served; configure groups by name, or delete nodes that are not groups", "served", d.limit, "left_out", n)
	case n == 0 && d.overLimit:
		d.log.Info("all discovered groups are served again")
	}
	d.overLimit = n > 0
}
