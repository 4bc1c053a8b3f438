package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/state"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

// recallAfter is how long ZooKeeper has to tell what is registered before what
// was kept is served: at a usual start it does, and old lists are nobody's wish.
const recallAfter = 500 * time.Millisecond

// following is a syncer that runs, and what keeps its lists.
type following struct {
	*syncer.Syncer
	keeper  *state.Keeper
	ctx     context.Context
	cancel  context.CancelFunc
	keeping sync.WaitGroup
	ended   chan error
}

// follow gives sink what is registered for a plan. Nothing is kept before keep.
func (r *rooms) follow(pl *plan, sink syncer.Sink, log *slog.Logger, load bool) *following {
	paths := make(map[string]string)
	var groups []syncer.Group
	for _, g := range pl.Groups {
		groups = append(groups, syncer.Group{Name: g.Name, Path: g.Path})
		paths[g.Name] = pl.ZooKeeper.Chroot + g.Path
	}
	discovery := pl.discovery()
	f := &following{ended: make(chan error, 1)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.keeper = state.New(state.Options{
		Dir:       r.settings.StateDir,
		Proxy:     pl.Name,
		Servers:   pl.ZooKeeper.Servers,
		Discovers: discovery != nil,
		Written:   func(group string) bool { return paths[group] != "" },
		Decode:    syncer.Decode,
		Sink:      sink,
		Logger:    log.With("component", "state"),
		Metrics:   r.state,
		Path: func(group string) string {
			if path := paths[group]; path != "" || discovery == nil {
				return path
			}
			if path := discovery.Path(group); path != "" {
				return pl.ZooKeeper.Chroot + path
			}
			return ""
		},
	})
	if load {
		f.keeper.Load()
	}
	f.Syncer = syncer.New(syncer.Options{
		Proxy:          pl.Name,
		Servers:        pl.ZooKeeper.Servers,
		Chroot:         pl.ZooKeeper.Chroot,
		SessionTimeout: pl.SessionTimeout,
		Auth:           pl.ZooKeeper.Auth.Reveal(),
		Secure:         secure(pl.ZooKeeper.TLS),
		Groups:         groups,
		Discover:       discovery,
		Sink:           f.keeper,
		Logger:         log.With("component", "syncer"),
		Metrics:        r.syncer,
	})
	go func() { f.ended <- ended(log, "syncer", f.Run(f.ctx)) }()
	return f
}

// keep writes what is registered to the proxy's file from now on.
func (f *following) keep() { f.keeping.Go(func() { f.keeper.Run(f.ctx) }) }

// recall hands over what the process before has kept, unless ZooKeeper is
// quicker, and before HAProxy starts without it.
func (f *following) recall(startWait time.Duration) {
	f.keeping.Go(func() {
		patience := time.NewTimer(min(recallAfter, startWait/2))
		defer patience.Stop()
		select {
		case <-patience.C:
			f.keeper.Recall()
		case <-f.ctx.Done():
		}
	})
}

// Contact is the syncer's, with what is recalled.
func (f *following) Contact() registry.Contact {
	c := f.Syncer.Contact()
	c.Recalled = f.keeper.Recalled()
	return c
}

// stop ends it and returns why it ended. It is called once.
func (f *following) stop() error {
	f.cancel()
	f.keeping.Wait()
	return <-f.ended
}
