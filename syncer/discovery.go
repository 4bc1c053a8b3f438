package syncer

import (
	"context"
	"sync"
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
	leave := make(map[string]context.CancelFunc)
	defer func() {
		for _, cancel := range leave {
			cancel()
		}
	}()
	follow := func(name string) {
		var one context.Context
		one, leave[name] = context.WithCancel(ctx)
		g := d.known[name]
		following.Go(func() { g.run(one, t, ls) })
	}
	for name := range d.known {
		follow(name)
	}
	d.parent.deliver = func(names []string) {
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
		d.sink.SetGroups(listed)
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
