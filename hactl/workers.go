package hactl

import "github.com/haproxy-zk/haproxy-zk/registry"

// Workers returns the living workers of the serving generation; none before the start.
// Any goroutine may call it; callers must not change the result. During a reload these
// are the old ones, until the new ones serve alone.
func (c *Controller) Workers() []registry.Worker {
	if shown := c.fleet.shown.Load(); shown != nil {
		return *shown
	}
	return nil
}

// show publishes the workers.
func (f *fleet) show() {
	shown := make([]registry.Worker, len(f.workers))
	for i, w := range f.workers {
		shown[i] = registry.Worker{PID: w.pid, Socket: w.client.Path}
	}
	f.shown.Store(&shown)
}
