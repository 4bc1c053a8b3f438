package syncer

import (
	"context"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// discovery follows the children of one path as groups of their own. Like a
// group it outlives links and sessions.
type discovery struct {
	parent *group // its deliver is set by run
	sink   Sink
	make   func(name string) *group // nil for an unsafe name
	except map[string]bool          // followed elsewhere

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
		var listed []string
		for _, name := range names {
			if d.except[name] {
				continue
			}
			there[name] = true
			listed = append(listed, name)
		}
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
			if d.known[name] != nil {
				continue
			}
			if g := d.make(name); g != nil {
				d.known[name] = g
				follow(name)
			}
		}
	}
	d.parent.run(ctx, t, ls)
}
