package hactl

import (
	"context"
	"fmt"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// adoptWorkers replaces the old workers, which have been asked to finish, with those of a new
// generation. Until the old workers stop listening, either generation may answer on the
// sockets they share. A worker that has died in the meantime never answers and is
// skipped.
func (f *fleet) adoptWorkers(ctx context.Context, pids []int, r rendition) (died bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, adoptWithin)
	defer cancel()
	lives := f.deaths.watch(pids)
	living, sockets := slices.Clone(pids), map[int]string(nil)
	for len(living) > 0 {
		var dead int
		if sockets, dead, err = f.probe(ctx, living, r.layout.Frame.Sockets); dead == 0 {
			break
		}
		living = slices.DeleteFunc(living, func(pid int) bool { return pid == dead })
	}
	if err == nil && len(sockets) < len(living) {
		err = ctx.Err()
	}
	if err != nil {
		err = fmt.Errorf("find the sockets of the new workers %v: only %v answered: %w", living, sockets, err)
	}
	f.workers, f.renewals = nil, newRenewals()
	maps := r.maps() // one copy for all
	for _, pid := range living {
		if path, answered := sockets[pid]; answered {
			w := f.newWorker(lives[pid], pid, path, r)
			w.maps = maps
			f.workers = append(f.workers, w)
		}
	}
	f.show()
	return len(living) < len(pids), err
}

// newWorker returns a worker that was just started from a rendition and answers on a
// stats socket.
func (f *fleet) newWorker(life context.Context, pid int, socket string, r rendition) *worker {
	w := &worker{
		pid: pid, life: life, client: haproxy.Client{Path: socket, Timeout: f.opts.Timeout, Took: f.opts.Metrics.took(f.opts.Proxy)},
		have:   make(map[*group][]haproxy.Server, len(r.groups)),
		agents: make(map[*group]haproxy.Agent, len(r.groups)),
		byName: make(map[string]*group, len(r.groups)),
		keeps:  make(map[*group]bool),
		equal:  make(map[*group]uint64),
	}
	w.published, w.refusedBackends = make(map[*group]bool), make(map[*group]string)
	renews := r.layout.Template.Renews(r.layout.Frame)
	for _, g := range r.groups {
		if g.live() {
			w.published[g] = true
		}
		if renews(g.backend) {
			w.keeps[g] = true
		}
		w.have[g], w.agents[g], w.byName[g.backend.Name] = g.carrier.Started(g.table, g.agent), g.agent, g
	}
	return w
}

// probe is [haproxy.Prober.Probe], except that it ends early when one of the processes
// dies.
func (f *fleet) probe(ctx context.Context, pids []int, at []string) (sockets map[int]string, dead int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	probed := make(chan struct{})
	go func() {
		defer close(probed)
		sockets, err = haproxy.Prober{Sockets: at, Timeout: f.opts.Timeout}.Probe(ctx, pids)
	}()
	for {
		select {
		case <-probed:
			return sockets, 0, err
		case pid := <-f.deaths.heard:
			if slices.Contains(pids, pid) {
				cancel()
				<-probed
				return nil, pid, nil
			}
		}
	}
}

// forgetDead removes a dead worker, whose socket may still accept and then hang. It
// returns false for a worker that a reload has already replaced.
func (f *fleet) forgetDead(pid int) bool {
	i := slices.IndexFunc(f.workers, func(w *worker) bool { return w.pid == pid })
	if i < 0 {
		return false
	}
	f.workers = slices.Delete(f.workers, i, i+1)
	f.show()
	return true
}

// inheritUnread marks the commands that the old workers have not read as pending in the
// new workers: the sockets are handed over, and a new worker runs those commands first.
func (f *fleet) inheritUnread() {
	for _, w := range f.workers {
		w.late, w.stale = f.unread.clone(), !f.unread.none()
	}
}

// retryFailed resets the failures of workers that were due for replacement: they may
// have recovered.
func (f *fleet) retryFailed() {
	for _, w := range f.workers {
		w.failures = min(w.failures, maxFailures-1)
	}
}
