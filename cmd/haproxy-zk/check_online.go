package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

const (
	dialWithin = 2 * time.Second
	readWithin = 5 * time.Second
)

// prober connects to a server of ZooKeeper and hangs up.
type prober func(ctx context.Context, server string) error

// checkOnline asks a proxy's ZooKeeper: each server alone, then all groups.
func checkOnline(ctx context.Context, p config.Proxy) []finding {
	unreachable := probeServers(ctx, p.ZooKeeper.Servers, dial(secure(p.ZooKeeper.TLS)))
	found := judgeServers(p, unreachable)
	if len(unreachable) == len(p.ZooKeeper.Servers) {
		return found
	}
	read, contact := readGroups(ctx, p)
	return append(found, judgeGroups(p, read, contact)...)
}

func dial(secure syncer.Secure) prober {
	return func(ctx context.Context, server string) error {
		ctx, cancel := context.WithTimeout(ctx, dialWithin)
		defer cancel()
		conn, err := syncer.Dial(ctx, server, secure)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// probeServers returns what is wrong with which servers.
func probeServers(ctx context.Context, servers []string, probe prober) map[string]error {
	var wait sync.WaitGroup
	errs := make([]error, len(servers))
	for i, server := range servers {
		wait.Go(func() { errs[i] = probe(ctx, server) })
	}
	wait.Wait()
	unreachable := make(map[string]error)
	for i, err := range errs {
		if err != nil {
			unreachable[servers[i]] = err
		}
	}
	return unreachable
}

func judgeServers(p config.Proxy, unreachable map[string]error) []finding {
	severity := isWarning
	if len(unreachable) == len(p.ZooKeeper.Servers) {
		severity = isError
	}
	var found []finding
	for _, server := range p.ZooKeeper.Servers {
		if err := unreachable[server]; err != nil {
			found = append(found, finding{
				Proxy: p.Name, Severity: severity, Where: p.Name + ".zk.addr",
				Text:   fmt.Sprintf("ZooKeeper %s cannot be reached: %v", server, err),
				Remedy: "start it, correct the address or zk.tls, or open the way to it",
			})
		}
	}
	return found
}

// readGroups follows the groups until each was read, or the time is over.
func readGroups(ctx context.Context, p config.Proxy) (reading, registry.Contact) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	sink := newCollector(p)
	o := syncer.Options{
		Proxy:          p.Name,
		Servers:        p.ZooKeeper.Servers,
		Chroot:         p.ZooKeeper.Chroot,
		SessionTimeout: p.SessionTimeout,
		Auth:           p.ZooKeeper.Auth.Reveal(),
		Secure:         secure(p.ZooKeeper.TLS),
		Discover:       (&plan{Proxy: p}).discovery(),
		Sink:           sink,
		Metrics:        syncer.NewMetrics(prometheus.NewRegistry()),
		Logger:         slog.New(slog.DiscardHandler),
	}
	for _, g := range p.Groups {
		o.Groups = append(o.Groups, syncer.Group{Name: g.Name, Path: g.Path})
	}
	zk := syncer.New(o)
	ended := make(chan error, 1)
	go func() { ended <- zk.Run(ctx) }()
	select {
	case <-sink.complete:
	case <-ctx.Done():
	}
	contact := zk.Contact()
	cancel()
	if err := <-ended; err != nil {
		contact.Problem = err.Error()
	}
	return sink.read(), contact
}

// reading is what was read of the groups.
type reading struct {
	groups map[string]registry.Group
	// discovered is true when the groups to discover were read.
	discovered bool
}

// collector takes the groups and tells when all are there.
type collector struct {
	complete chan struct{}

	mu      sync.Mutex
	reading reading
	missing map[string]bool
	heard   bool
	closed  bool
}

func newCollector(p config.Proxy) *collector {
	c := &collector{
		complete: make(chan struct{}),
		reading:  reading{groups: make(map[string]registry.Group), discovered: p.Discover == nil},
		missing:  make(map[string]bool),
	}
	for _, g := range p.Groups {
		c.missing[g.Name] = true
	}
	return c
}

// SetGroup implements [syncer.Sink].
func (c *collector) SetGroup(g registry.Group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = true
	c.reading.groups[g.Name] = g
	delete(c.missing, g.Name)
	c.finish()
}

// SetGroups implements [syncer.Sink]. What is below a discovered group is not
// waited for: it has been seen.
func (c *collector) SetGroups(registry.Discovered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard, c.reading.discovered = true, true
	c.finish()
}

func (c *collector) finish() {
	if len(c.missing) == 0 && c.reading.discovered && c.heard && !c.closed {
		c.closed = true
		close(c.complete)
	}
}

func (c *collector) read() reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reading
}

func judgeGroups(p config.Proxy, read reading, contact registry.Contact) []finding {
	if !contact.Connected {
		return []finding{{
			Proxy: p.Name, Severity: isError, Where: p.Name + ".zk.addr",
			Text:   fmt.Sprintf("no session with ZooKeeper within %s: %s", readWithin, contact.Problem),
			Remedy: "see what ZooKeeper's own log says: it may have no quorum",
		}}
	}
	remedy := cmp.Or(contact.Denied, "see what ZooKeeper's own log says")
	var found []finding
	if !read.discovered {
		found = append(found, finding{
			Proxy: p.Name, Severity: isError, Where: p.Name + ".groups.*.zk.path",
			Text:   fmt.Sprintf("%s could not be read within %s", p.ZooKeeper.Chroot+p.Discover.Parent, readWithin),
			Remedy: remedy,
		})
	}
	for _, g := range p.Groups {
		f := finding{Proxy: p.Name, Severity: isWarning, Where: p.Name + ".groups." + g.Name + ".zk.path"}
		path := p.ZooKeeper.Chroot + g.Path
		switch group, isRead := read.groups[g.Name]; {
		case !isRead:
			f.Severity = isError
			f.Text = fmt.Sprintf("%s could not be read within %s", path, readWithin)
			f.Remedy = remedy
		case len(group.Instances) == 0 && group.Skipped == 0:
			f.Text = fmt.Sprintf("%s has no instances, or is not there yet: it is waited for", path)
			f.Remedy = "start an instance, or correct the path"
		case group.Skipped > 0:
			f.Text = fmt.Sprintf("%s: names that are no ip:port are skipped (%d)", path, group.Skipped)
			f.Remedy = "register instances as ip:port"
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}
