package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// directory has the running proxies for the query API, in the order of the
// configuration. A restarted proxy gets new parts in its old entry.
type directory struct {
	entries atomic.Pointer[[]*entry]
	// changed has a value when a proxy or a snapshot changed since it was last received;
	// its capacity is one.
	changed chan struct{}
}

// entry is a proxy in the directory.
type entry struct {
	name    string
	pending query.Proxy
	now     atomic.Pointer[live]
}

// arrange sets the entries to those of the plans, keeping existing ones. It must be
// called by one goroutine only.
func (d *directory) arrange(plans []*plan.Plan) {
	var entries []*entry
	for _, pl := range plans {
		p := d.entry(pl.Name)
		if p == nil {
			p = newEntry(pl)
		}
		entries = append(entries, p)
	}
	d.entries.Store(&entries)
	d.noteChange()
}

// noteChange notes that the proxies or a snapshot changed. It does not block.
func (d *directory) noteChange() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

func newEntry(pl *plan.Plan) *entry {
	s := &registry.Snapshot{Proxy: pl.Name}
	if pl.Discover != nil {
		s.Waiting = append(s.Waiting, registry.AllGroups)
	}
	for _, g := range pl.Groups {
		s.Groups = append(s.Groups, &registry.Group{Name: g.Name})
		s.Waiting = append(s.Waiting, g.Name)
	}
	return &entry{name: pl.Name, pending: pending{s, pl.ConfFile, pl.Frame.Version}}
}

// entry returns the entry of a proxy; nil if there is none.
func (d *directory) entry(name string) *entry {
	for _, p := range d.all() {
		if p.name == name {
			return p
		}
	}
	return nil
}

func (d *directory) all() []*entry {
	if entries := d.entries.Load(); entries != nil {
		return *entries
	}
	return nil
}

// serves returns nil if all proxies serve.
func (d *directory) serves() error {
	for _, p := range d.proxies() {
		if err := p.Ready(); err != nil {
			return err
		}
	}
	return nil
}

// proxies returns the proxies for the query API.
func (d *directory) proxies() []query.Proxy {
	entries := d.all()
	out := make([]query.Proxy, len(entries))
	for i, p := range entries {
		out[i] = p.pending
		if now := p.now.Load(); now != nil {
			out[i] = now
		}
	}
	return out
}

// collectors returns the collectors of the running proxies.
func (d *directory) collectors() (all []*stats.Collector) {
	for _, p := range d.all() {
		if now := p.now.Load(); now != nil {
			all = append(all, now.figures)
		}
	}
	return all
}

// statistics returns what the workers of a proxy report, of one group or of all if its name
// is empty; nil if the proxy is not running.
func (d *directory) statistics(ctx context.Context, proxy, group string) (*stats.Reading, error) {
	p := d.entry(proxy)
	if p == nil {
		return nil, nil
	}
	now := p.now.Load()
	switch {
	case now == nil:
		return nil, nil
	case group == "":
		return now.figures.Read(ctx)
	}
	return now.figures.ReadGroup(ctx, group)
}

// reloadAll requests a reload of every running proxy.
func (d *directory) reloadAll(cause string) {
	for _, p := range d.all() {
		if now := p.now.Load(); now != nil {
			now.Reload(cause)
		}
	}
}

// releaseHeld releases the held instances of a group.
func (d *directory) releaseHeld(proxy, group string) (held int, err error) {
	p := d.entry(proxy)
	if p == nil {
		return 0, fmt.Errorf("there is no proxy %q", proxy)
	}
	now := p.now.Load()
	if now == nil {
		return 0, fmt.Errorf("the proxy %q has not been started yet", proxy)
	}
	return now.Release(group)
}

func (p *entry) put(now *live) { p.now.Store(now) }

// follow sets the sources of the running proxy.
func (p *entry) follow(sources *following) {
	now := *p.now.Load()
	now.sources = sources
	p.put(&now)
}

// live is a running proxy.
type live struct {
	*hactl.Controller
	haproxy *supervisor.HAProxy
	sources *following
	figures *stats.Collector
}

func (p *live) Generations() []supervisor.Generation { return p.haproxy.Generations() }

func (p *live) ConfigFile() string { return p.haproxy.ConfFile }

func (p *live) ConnectionStatus() registry.ConnectionStatus { return p.sources.ConnectionStatus() }

func (p *live) Registrations() []registry.Registrations { return p.sources.Registrations() }

// pending is a proxy that has not been started yet.
type pending struct {
	snapshot   *registry.Snapshot
	configFile string
	version    haproxy.Version
}

func (p pending) Version() haproxy.Version { return p.version }

func (p pending) Launched() registry.Launched { return registry.Launched{} }

func (p pending) ConfigFile() string { return p.configFile }

func (p pending) Snapshot() *registry.Snapshot { return p.snapshot }

func (p pending) ConnectionStatus() registry.ConnectionStatus {
	return registry.ConnectionStatus{Problem: "the proxy has not been started yet"}
}

func (p pending) Registrations() []registry.Registrations { return nil }

func (p pending) Generations() []supervisor.Generation { return nil }

func (p pending) Ready() error { return errors.New("the proxy has not been started yet") }
