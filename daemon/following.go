package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/state"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

// cacheAfter is how long the start waits for lists from ZooKeeper before it uses cached
// ones: usually ZooKeeper is quick enough, and old lists are best avoided.
const cacheAfter = 500 * time.Millisecond

// following is a running syncer and the keeper that caches its lists.
type following struct {
	*syncer.Syncer
	keeper  *state.Keeper
	ctx     context.Context
	cancel  context.CancelFunc
	keeping sync.WaitGroup
	ended   chan error
}

// follow sends the instances registered for a plan to sink, replacing the syncer
// before, which is nil for the first one. Nothing is cached before keep is called.
func (r *factory) follow(pl *plan.Plan, sink syncer.Sink, log *slog.Logger, before *following) *following {
	paths := make(map[string]string)
	var groups []syncer.Group
	for _, g := range pl.Groups {
		groups = append(groups, syncer.Group{Name: g.Name, Path: g.Path})
		paths[g.Name] = pl.ZooKeeper.Chroot + g.Path
	}
	discovery := pl.Discovery()
	admit := pl.Admission(r.listeners).Check
	f := &following{ended: make(chan error, 1)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.keeper = state.New(state.Options{
		Dir:       r.opts.StateDir,
		Proxy:     pl.Name,
		Servers:   pl.ZooKeeper.Servers,
		Discovers: discovery != nil,
		Written:   func(group string) bool { return paths[group] != "" },
		Decode:    syncer.Decoder(admit),
		Sink:      sink,
		Logger:    log.With("component", "state"),
		Metrics:   r.state,
		Remedy:    func(err error) string { return plan.FolderRemedy("STATE_DIR", r.opts.StateDir, err) },
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
	if before == nil {
		f.keeper.Load()
	} else {
		f.keeper.Follow(before.keeper)
	}
	f.Syncer = syncer.New(syncer.Options{
		Proxy:          pl.Name,
		Servers:        pl.ZooKeeper.Servers,
		Chroot:         pl.ZooKeeper.Chroot,
		SessionTimeout: pl.SessionTimeout,
		Auth:           pl.ZooKeeper.Auth.Reveal(),
		Secure:         plan.Secure(pl.ZooKeeper.TLS),
		Groups:         groups,
		Discover:       discovery,
		CreatePaths:    pl.CreatePaths,
		Admit:          admit,
		Sink:           f.keeper,
		Report:         r.record.of(pl.Name),
		Logger:         log.With("component", "syncer"),
		Metrics:        r.syncer,
	})
	go func() { f.ended <- ended(log, "syncer", f.Run(f.ctx)) }()
	return f
}

// keep starts to cache the lists in the proxy's file.
func (f *following) keep() { f.keeping.Go(func() { f.keeper.Run(f.ctx) }) }

// useCache sends the cached lists to the sink unless ZooKeeper is quicker, in time for
// the start of HAProxy.
func (f *following) useCache(startWait time.Duration) {
	f.keeping.Go(func() {
		patience := time.NewTimer(min(cacheAfter, startWait/2))
		defer patience.Stop()
		select {
		case <-patience.C:
			f.keeper.Recall()
		case <-f.ctx.Done():
		}
	})
}

// ConnectionStatus returns the syncer's contact, including the use of cached lists.
func (f *following) ConnectionStatus() registry.ConnectionStatus {
	c := f.Syncer.ConnectionStatus()
	c.Recalled = f.keeper.Recalled()
	return c
}

// stop stops the syncer and returns why it ended. It must be called once.
func (f *following) stop() error {
	f.cancel()
	f.keeping.Wait()
	return <-f.ended
}
