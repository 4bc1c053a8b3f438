package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/files"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/sources"
	"github.com/haproxy-zk/haproxy-zk/state"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

// cacheAfter is how long the start waits for lists from the sources before it uses cached
// ones: usually ZooKeeper is quick enough, and old lists are best avoided.
const cacheAfter = 500 * time.Millisecond

// following are the running sources of a proxy, and the keepers that cache their lists.
type following struct {
	sources []sources.Source
	merger  *sources.Merger
	keepers []*state.Keeper // of ZooKeeper and the directory, as far as they are sources
	ctx     context.Context
	cancel  context.CancelFunc
	keeping sync.WaitGroup
	ended   chan error
}

// follow sends the instances of a plan to sink, replacing the sources before, which are nil
// for the first ones. Nothing is cached before keep is called.
func (r *factory) follow(pl *plan.Plan, sink sources.Sink, log *slog.Logger, before *following) *following {
	f := &following{merger: sources.NewMerger(sink, pl.GroupNames()), ended: make(chan error, 1)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	admit := pl.Admission(r.listeners).Check
	all := func(string) bool { return true }
	if len(pl.ZooKeeper.Servers) > 0 {
		into := f.merger.Add(registry.ZooKeeper, all, pl.Discover != nil)
		f.sources = append(f.sources, r.zookeeper(f, pl, into, admit, log, before))
	}
	if pl.Dir != "" {
		into := f.merger.Add(registry.Directory, all, pl.Discover != nil)
		f.sources = append(f.sources, r.files(f, pl, into, admit, log, before))
	}
	if written := pl.Written(); len(written) > 0 {
		has := func(group string) bool { return len(written[group]) > 0 }
		into := f.merger.Add(registry.Written, has, false)
		f.sources = append(f.sources, sources.NewWritten(written, admit, into, log.With("component", "sources")))
	}
	f.merger.Start()
	go func() { f.ended <- f.run(log) }()
	return f
}

// run runs the sources until all of them have ended. If one fails, the others end too.
func (f *following) run(log *slog.Logger) error {
	var running sync.WaitGroup
	errs := make([]error, len(f.sources))
	for i, s := range f.sources {
		running.Go(func() {
			if errs[i] = ended(log, string(s.ConnectionStatus().Kind()), s.Run(f.ctx)); errs[i] != nil {
				f.cancel()
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// zookeeper returns the syncer of a plan, whose lists go through the keeper.
func (r *factory) zookeeper(f *following, pl *plan.Plan, sink sources.Sink, admit func(registry.Instance) error, log *slog.Logger, before *following) *syncer.Syncer {
	paths := make(map[string]string)
	for _, g := range pl.Groups {
		paths[g.Name] = pl.ZooKeeper.Chroot + g.Path
	}
	discovery := pl.Discovery()
	keeper := r.keeper(f, pl, before, log, state.Options{
		Source:  registry.ZooKeeper,
		Origins: pl.ZooKeeper.Servers,
		Decode:  syncer.Decoder(admit),
		Sink:    sink,
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
	return syncer.New(syncer.Options{
		Proxy:          pl.Name,
		Servers:        pl.ZooKeeper.Servers,
		Chroot:         pl.ZooKeeper.Chroot,
		SessionTimeout: pl.SessionTimeout,
		Auth:           pl.ZooKeeper.Auth.Reveal(),
		SASL:           pl.ZooKeeper.SASL.Reveal(),
		Secure:         plan.Secure(pl.ZooKeeper.TLS),
		Groups:         pl.SyncedGroups(),
		Discover:       discovery,
		CreatePaths:    pl.CreatePaths,
		Admit:          admit,
		Sink:           keeper,
		Report:         r.record.of(pl.Name),
		Logger:         log.With("component", "syncer"),
		Metrics:        r.syncer,
	})
}

// files returns the follower of the directory of a plan, whose lists go through a keeper.
func (r *factory) files(f *following, pl *plan.Plan, sink sources.Sink, admit func(registry.Instance) error, log *slog.Logger, before *following) *files.Directory {
	o := pl.Directory(admit)
	origins := []string{pl.Dir}
	keeper := r.keeper(f, pl, before, log, state.Options{
		Source:  registry.Directory,
		Origins: origins,
		Decode:  syncer.Decoder(admit),
		Sink:    sink,
		Path: func(group string) string {
			if slices.Contains(o.Groups, group) || o.Discover != nil && o.Discover(group) {
				return pl.Dir + "/" + group
			}
			return ""
		},
	})
	o.Earlier = keeper.Knows(origins)
	if former := before.keeperOf(registry.Directory); former != nil {
		o.Earlier = former.Knows(origins)
	}
	o.Sink, o.Metrics, o.Report = keeper, r.services, r.record.of(pl.Name)
	o.Logger = log.With("component", "files")
	return files.New(o)
}

// keeper returns the keeper of a source with these options, completed: with the cached
// lists at the start, otherwise in place of the keeper before.
func (r *factory) keeper(f *following, pl *plan.Plan, before *following, log *slog.Logger, o state.Options) *state.Keeper {
	configured := make(map[string]bool)
	for _, name := range pl.GroupNames() {
		configured[name] = true
	}
	o.Dir, o.Proxy, o.Discovers = r.opts.StateDir, pl.Name, pl.Discover != nil
	o.Written = func(group string) bool { return configured[group] }
	o.Logger, o.Metrics = log.With("component", "state"), r.state
	o.Remedy = func(err error) string { return plan.FolderRemedy("STATE_DIR", r.opts.StateDir, err) }
	k := state.New(o)
	if before == nil {
		k.Load()
	} else if former := before.keeperOf(o.Source); former != nil {
		k.Follow(former)
	}
	f.keepers = append(f.keepers, k)
	return k
}

// keeperOf returns the keeper of a source; nil if there is none.
func (f *following) keeperOf(source registry.SourceKind) *state.Keeper {
	if f != nil {
		for _, k := range f.keepers {
			if k.Source == source {
				return k
			}
		}
	}
	return nil
}

// keep starts to cache the lists in the files of the sources.
func (f *following) keep() {
	for _, k := range f.keepers {
		f.keeping.Go(func() { k.Run(f.ctx) })
	}
}

// useCache sends the cached lists to the sink unless the sources are quicker, in time for
// the start of HAProxy; then what only some of the sources have.
func (f *following) useCache(startWait time.Duration) {
	f.keeping.Go(func() {
		patience := time.NewTimer(min(cacheAfter, startWait/2))
		defer patience.Stop()
		select {
		case <-patience.C:
			for _, k := range f.keepers {
				k.Recall()
			}
			f.merger.Recall()
		case <-f.ctx.Done():
		}
	})
}

// ConnectionStatus returns the state of the sources, including the use of cached lists.
func (f *following) ConnectionStatus() registry.ConnectionStatus {
	c := sources.Statuses(f.sources)
	c.Recalled = f.merger.Incomplete()
	for _, k := range f.keepers {
		c.Recalled = append(c.Recalled, k.Recalled()...)
	}
	slices.Sort(c.Recalled)
	c.Recalled = slices.Compact(c.Recalled)
	return c
}

// Registrations returns the findings of all sources.
func (f *following) Registrations() []registry.Registrations {
	return sources.Registrations(f.sources)
}

// stop stops the sources and returns why they ended. It must be called once.
func (f *following) stop() error {
	f.cancel()
	f.keeping.Wait()
	return <-f.ended
}
