package syncer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// maxGroups bounds the discovered groups, whoever may create them: each costs a watch,
// and servers in every worker of HAProxy.
const maxGroups = 5000

// discovery follows the children of one path as groups of their own. Like a
// group it outlives links and sessions.
type discovery struct {
	log    *slog.Logger
	most   int
	parent *group // its deliver is set by run
	sink   Sink
	make   func(name string) *group // nil for an unsafe name
	except map[string]bool          // followed elsewhere
	// overfull is true while there are more than most.
	overfull bool

	known map[string]*group
}

// run follows the groups over one session until ctx is done.
func (d *discovery) run(ctx context.Context, t tree, ls *links) {
	var following sync.WaitGroup
	defer following.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	leave, left := make(map[string]context.CancelFunc), make(map[string]<-chan struct{})
	follow := func(name string) {
		if before := left[name]; before != nil {
			<-before // the list that it may just be handing over is old
		}
		one, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		g := d.known[name]
		leave[name], left[name] = cancel, ended
		following.Go(func() {
			defer close(ended)
			g.run(one, t, ls)
		})
	}
	for name := range d.known {
		follow(name)
	}
	d.parent.deliver = func(names []string, _ time.Time) {
		there := make(map[string]bool, len(names))
		room := d.most
		for _, name := range names {
			there[name] = true
			if d.known[name] != nil {
				room--
			}
		}
		var listed []string
		made, dropped := make(map[string]*group), 0
		for _, name := range names {
			if d.except[name] {
				continue
			}
			if d.known[name] == nil {
				switch g := d.make(name); {
				case g == nil: // the sink says why
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
		d.tellDropped(dropped)
		// The sink knows a group before its instances come.
		d.sink.SetGroups(registry.Discovered{Names: listed})
		for name, end := range left {
			select {
			case <-end:
				delete(left, name)
			default:
			}
		}
		for name, cancel := range leave {
			if !there[name] {
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

// tellDropped tells when groups begin and end to be too many.
func (d *discovery) tellDropped(n int) {
	switch {
	case n > 0 && !d.overfull:
		d.log.Error("more groups are discovered than are served, those that are known stay and others are left out: write them out, or delete what is no group", "served", d.most, "left_out", n)
	case n == 0 && d.overfull:
		d.log.Info("all groups that are discovered are served again")
	}
	d.overfull = n > 0
}
