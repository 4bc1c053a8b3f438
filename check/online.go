package check

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

const (
	dialWithin = 2 * time.Second
	readWithin = 5 * time.Second
)

// prober connects to a ZooKeeper server and disconnects.
type prober func(ctx context.Context, server string) error

// checkOnline checks what a proxy's sources have. own are the listeners of all proxies. It
// also returns the names of the discovered groups.
func checkOnline(ctx context.Context, p config.Proxy, own *syncer.Listeners) (found []finding, groups []string) {
	if len(p.ZooKeeper.Servers) > 0 {
		found, groups = checkZooKeeper(ctx, p, own)
	}
	if p.Dir != "" {
		more, names := readDirectory(ctx, p, own)
		found, groups = append(found, more...), append(groups, names...)
		slices.Sort(groups)
		groups = slices.Compact(groups)
	}
	return found, groups
}

// checkZooKeeper checks a proxy's ZooKeeper: first each server, then all groups. It also
// returns the names of the discovered groups.
func checkZooKeeper(ctx context.Context, p config.Proxy, own *syncer.Listeners) (found []finding, groups []string) {
	pl := &plan.Plan{Proxy: p}
	unreachable := probeServers(ctx, p.ZooKeeper.Servers, dial(plan.Secure(p.ZooKeeper.TLS)))
	found = judgeServers(p, unreachable)
	if len(unreachable) == len(p.ZooKeeper.Servers) {
		return found, nil
	}
	refused := &refusals{check: pl.Admission(own).Check, key: ".zk.path"}
	read, contact := readGroups(ctx, p, refused.admit)
	return slices.Concat(found, judgeGroups(p, read, contact), judgeDiscovered(p, read, contact), refused.judge(p)), read.names
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

// probeServers returns the errors by server.
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
				Remedy: "start it, correct the address or zk.tls, or allow the connection in the firewall",
			})
		}
	}
	return found
}

// readGroups watches the groups until each has been read and its instances examined, or
// until the timeout. It creates no path.
func readGroups(ctx context.Context, p config.Proxy, admit func(registry.Instance) error) (reading, registry.ConnectionStatus) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	sink := newCollector(p)
	o := syncer.Options{
		Proxy:          p.Name,
		Servers:        p.ZooKeeper.Servers,
		Chroot:         p.ZooKeeper.Chroot,
		SessionTimeout: p.SessionTimeout,
		Auth:           p.ZooKeeper.Auth.Reveal(),
		SASL:           p.ZooKeeper.SASL.Reveal(),
		Secure:         plan.Secure(p.ZooKeeper.TLS),
		Groups:         (&plan.Plan{Proxy: p}).SyncedGroups(),
		Discover:       (&plan.Plan{Proxy: p}).Discovery(),
		Admit:          admit,
		ExamineFast:    true,
		Sink:           sink,
		Metrics:        syncer.NewMetrics(prometheus.NewRegistry()),
		Logger:         slog.New(slog.DiscardHandler),
	}
	zk := syncer.New(o)
	ended := make(chan error, 1)
	go func() { ended <- zk.Run(ctx) }()
	select {
	case <-sink.complete:
	case <-ctx.Done():
	}
	examined := true
	select {
	case <-zk.Examined():
	case <-ctx.Done():
		examined = false
	}
	contact, registrations := zk.ConnectionStatus(), zk.Registrations()
	cancel()
	if err := <-ended; err != nil {
		contact.Problem = err.Error()
	}
	read := sink.read()
	read.examined = examined
	read.registrations = make(map[string]registry.Registrations, len(registrations))
	for _, r := range registrations {
		read.registrations[r.Group] = r
	}
	return read, contact
}

// reading is the result of reading the groups.
type reading struct {
	groups map[string]registry.Group
	// discovered is true if the list of discovered groups was read.
	discovered bool
	names      []string // the discovered groups
	unread     int      // how many of them were not read
	// registrations has the children other than instances, by group.
	registrations map[string]registry.Registrations
	// examined is true if the owner of each instance was checked.
	examined bool
}

// collector receives the groups and notices when it has all of them.
type collector struct {
	complete chan struct{}

	mu       sync.Mutex
	reading  reading
	follows  func(name string) bool // whether it waits for a discovered group
	missing  map[string]bool
	found    map[string]bool // those of missing that are discovered
	received bool
	closed   bool
}

func newCollector(p config.Proxy) *collector {
	c := &collector{
		complete: make(chan struct{}),
		reading:  reading{groups: make(map[string]registry.Group), discovered: p.Discover == nil},
		missing:  make(map[string]bool),
		follows:  func(string) bool { return false },
	}
	if d := p.Discover; d != nil {
		c.follows = func(name string) bool {
			_, err := d.Group(name)
			return err == nil
		}
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
	c.received = true
	c.reading.groups[g.Name] = g
	delete(c.missing, g.Name)
	c.finish()
}

// SetGroups implements [syncer.Sink].
func (c *collector) SetGroups(d registry.Discovered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received, c.reading.discovered, c.reading.names = true, true, d.Names
	for name := range c.found {
		delete(c.missing, name)
	}
	c.found = make(map[string]bool)
	for _, name := range d.Names {
		if _, isRead := c.reading.groups[name]; !isRead && c.follows(name) {
			c.missing[name], c.found[name] = true, true
		}
	}
	c.finish()
}

func (c *collector) finish() {
	if len(c.missing) == 0 && c.reading.discovered && c.received && !c.closed {
		c.closed = true
		close(c.complete)
	}
}

func (c *collector) read() reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading.unread = 0
	for name := range c.found {
		if c.missing[name] {
			c.reading.unread++
		}
	}
	return c.reading
}

func judgeGroups(p config.Proxy, read reading, contact registry.ConnectionStatus) []finding {
	if !contact.Connected {
		return []finding{{
			Proxy: p.Name, Severity: isError, Where: p.Name + ".zk.addr",
			Text:   fmt.Sprintf("no session with ZooKeeper within %s: %s", readWithin, contact.Problem),
			Remedy: "see ZooKeeper's log; the ensemble may have no quorum",
		}}
	}
	remedy := cmp.Or(contact.Denied, "see ZooKeeper's log")
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
		found = append(found, noteFormats(p, ".groups."+g.Name, path, read.registrations[g.Name])...)
		switch group, isRead := read.groups[g.Name]; {
		case !isRead:
			f.Severity = isError
			f.Text = fmt.Sprintf("%s could not be read within %s", path, readWithin)
			f.Remedy = remedy
		case len(read.registrations[g.Name].Findings) > 0:
			found = append(found, judgeRegistrations(p, ".groups."+g.Name, path, read.registrations[g.Name])...)
			continue
		case len(group.Instances) == 0 && group.Skipped == 0:
			f.Text = fmt.Sprintf("%s has no instances, or is not there yet: it is waited for", path)
			if p.CreatePaths {
				f.Text = fmt.Sprintf("%s has no instances, or is not there yet: run creates it", path)
			}
			f.Remedy = "start an instance, or correct the path"
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}
