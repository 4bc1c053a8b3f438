package query

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
	"github.com/haproxy-zk/haproxy-zk/ui"
)

// overviews makes what the page shows, once per snapshot and reading for all who look.
type overviews struct {
	mu   sync.Mutex // held while the groups are counted
	kept map[string]keptGroups
}

// keptGroups are the groups of a proxy as they were counted.
type keptGroups struct {
	of      *registry.Snapshot
	reading *stats.Reading
	groups  []ui.Group
}

// overview returns what the page shows now. It may block for seconds, while the workers
// are read; its error is that of ctx.
func (s *Server) overview(ctx context.Context) (*ui.Overview, error) {
	proxies := s.documents.proxies()
	readings, err := s.readAll(ctx, proxies)
	if err != nil {
		return nil, err
	}
	o := &ui.Overview{Place: s.place, Stopping: s.stopping.Load()}
	o.Ready = len(proxies) > 0 && !o.Stopping
	if s.configuration != nil {
		o.Rejected, o.RejectedSince = s.configuration()
	}
	now := time.Now()
	kept := make(map[string]keptGroups, len(proxies))
	for i, p := range proxies {
		snapshot := p.Snapshot()
		shown := describe(p, snapshot, readings[i], now)
		o.Ready = o.Ready && shown.Ready
		found := make(map[string]registry.Registrations)
		for _, r := range p.Registrations() {
			if found[r.Group] = r; r.Group == registry.AllGroups {
				shown.Misplaced = r.Findings
			}
		}
		o.Proxies = append(o.Proxies, shown)
		k := s.overviews.of(snapshot, readings[i])
		kept[snapshot.Proxy] = k
		first := len(o.Groups)
		o.Groups = append(o.Groups, k.groups...)
		recalled := make(map[string]bool)
		for _, name := range shown.Sources.Recalled {
			recalled[name] = true
		}
		for j := range o.Groups[first:] {
			g := &o.Groups[first+j]
			g.Recalled, g.Findings = recalled[g.Name], found[g.Name].Findings
		}
	}
	s.overviews.keep(kept)
	return o, nil
}

// readAll returns what the workers of each proxy report; nil for one that does not run.
func (s *Server) readAll(ctx context.Context, proxies []Proxy) ([]*stats.Reading, error) {
	readings := make([]*stats.Reading, len(proxies))
	if s.statistics == nil {
		return readings, nil
	}
	errs := make([]error, len(proxies))
	var reading sync.WaitGroup
	for i, p := range proxies {
		reading.Go(func() { readings[i], errs[i] = s.statistics(ctx, p.Snapshot().Proxy, "") })
	}
	reading.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return readings, nil
}

// describe returns a proxy as the strip shows it.
func describe(p Proxy, s *registry.Snapshot, r *stats.Reading, now time.Time) ui.Proxy {
	version := p.Version()
	problem := p.Ready()
	d := ui.Proxy{
		Name: s.Proxy, Ready: isReady(s, problem), Problem: s.ReloadError, Sources: p.ConnectionStatus(), Launched: p.Launched(),
		Version: version.Full, Support: version.Support(now), Ended: version.EndOfLife(now), Unread: len(s.Waiting),
	}
	if problem != nil {
		d.Problem = problem.Error()
	}
	if d.Launched.Error != "" && strings.Contains(d.Problem, d.Launched.Error) {
		d.Problem = "" // the strip has it already
	}
	for by, n := range countCarried(s) {
		d.Carried = append(d.Carried, ui.Carried{By: by, Groups: n})
	}
	slices.SortFunc(d.Carried, func(a, b ui.Carried) int { return cmp.Compare(a.By, b.By) })
	for _, g := range p.Generations() {
		d.Generations++
		if g.Draining {
			d.Draining += len(g.PIDs)
		} else {
			d.Workers += len(g.PIDs)
		}
	}
	if r != nil {
		d.Silent = len(r.Silent)
	}
	return d
}

// of returns the groups of a snapshot, without what may change while it and the reading
// stay the same.
func (o *overviews) of(s *registry.Snapshot, r *stats.Reading) keptGroups {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := o.kept[s.Proxy]
	if k.of != s || k.reading != r {
		k = keptGroups{s, r, summarize(s, r)}
	}
	return k
}

// keep keeps the groups of the latest overview.
func (o *overviews) keep(kept map[string]keptGroups) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = kept
}

// summarize counts the instances of each group. It takes time for each instance: it looks
// none up.
func summarize(s *registry.Snapshot, r *stats.Reading) []ui.Group {
	if r == nil {
		r = &stats.Reading{}
	}
	remarks, carried := remarksOf(s), carriedOf(s)
	counts := make(map[string]map[registry.RemarkKind]int)
	for _, remark := range s.Remarks {
		if counts[remark.Group] == nil {
			counts[remark.Group] = make(map[registry.RemarkKind]int)
		}
		counts[remark.Group][remark.Kind]++
	}
	waiting := make(map[string]bool, len(s.Waiting))
	for _, name := range s.Waiting {
		waiting[name] = true
	}
	down := make(map[string]bool, len(s.Down))
	for _, name := range s.Down {
		down[name] = true
	}
	full := make(map[string]bool, len(s.Full))
	for _, name := range s.Full {
		full[name] = true
	}
	groups := make([]ui.Group, 0, len(s.Groups))
	for _, p := range pairs(s, r, "") {
		g := ui.Group{
			Proxy: s.Proxy, Name: p.of.Name, Registered: len(p.of.Instances), Reported: p.has.Name != "",
			Figures: figuresOf(&p.has.Figures, r.Window, false),
			Unread:  waiting[p.of.Name], Outage: down[p.of.Name], Full: full[p.of.Name],
			CarriedBy: carried[p.of.Name].By, CarriedReason: carried[p.of.Name].Reason,
			Members: &members{pair: p, remarks: remarks[p.of.Name], workers: r.Workers, full: full[p.of.Name], window: r.Window},
		}
		n := counts[p.of.Name]
		g.Held, g.Changed, g.Waiting = n[registry.Held], n[registry.Operator]+n[registry.Agent], n[registry.Damped]
		g.Registered += n[registry.Damped] - n[registry.Held]
		p.count(&g, r.Workers)
		groups = append(groups, g)
	}
	return groups
}

// count counts the instances that are meant to serve, by what the workers report of them.
// Both lists are sorted by address.
func (p pair) count(g *ui.Group, workers int) {
	reported := p.has.Instances
	if workers == 0 {
		return
	}
	for _, meant := range p.of.Instances {
		for len(reported) > 0 && reported[0].Addr.Compare(meant.Addr) < 0 {
			reported = reported[1:]
		}
		if len(reported) == 0 || reported[0].Addr != meant.Addr || reported[0].Gone {
			g.Waiting++
			continue
		}
		i := &reported[0]
		if i.Up {
			g.Up++
		}
		state, _, differs := worst(i.Servers, workers)
		switch state {
		case stateDown:
			g.Down++
		case stateStarting:
			g.Starting++
		}
		if differs {
			g.Different++
		}
	}
}

func figuresOf(f *stats.Figures, window time.Duration, instance bool) ui.Figures {
	shown := ui.Figures{
		Sessions: f.Sessions, Queue: f.Queued, HTTP: f.HTTP, ResponseTime: f.ResponseTime,
		Rated: window > 0, Rate: f.Rates.Requests, Share: f.Rates.Share5xx(),
	}
	if instance || !f.HTTP {
		shown.Rate = f.Rates.Sessions
	}
	return shown
}

// members are the instances of a group.
type members struct {
	pair
	remarks map[netip.AddrPort]registry.Remark
	workers int
	full    bool // no server is left for more instances
	window  time.Duration
}

// Instances returns all, with what `?detail` has and their rates.
func (m *members) Instances() []ui.Instance {
	figures := make(map[string]*stats.Figures, len(m.has.Instances))
	for i := range m.has.Instances {
		if of := &m.has.Instances[i]; !of.Gone {
			figures[of.Addr.String()] = &of.Figures
		}
	}
	details := m.details(m.remarks, m.workers, m.full)
	all := make([]ui.Instance, len(details))
	for i, d := range details {
		one := ui.Instance{Address: d.Address, State: ui.State(d.State), SetBy: d.SetBy, Reason: d.Reason, Weight: d.Weight, Differs: d.Differs}
		if d.Since != nil {
			one.Since = *d.Since
		}
		if f := figures[d.Address]; f != nil {
			one.Figures = figuresOf(f, m.window, true)
		}
		for _, w := range d.Workers {
			shown := ui.Worker{PID: w.PID, Server: w.Server, State: ui.State(w.State), Since: w.Since, Weight: w.Weight, Sessions: w.Sessions, Queue: w.Queue}
			if c := w.LastCheck; c != nil {
				shown.Checked, shown.Check, shown.CheckCode, shown.CheckText = true, c.Status, c.Code, c.Text
				shown.CheckTook = time.Duration(c.Duration * float64(time.Second))
			}
			one.Workers = append(one.Workers, shown)
		}
		all[i] = one
	}
	return all
}

// Has reports whether an address contains text.
func (m *members) Has(text string) bool {
	var line []byte
	return slices.ContainsFunc(m.of.Instances, func(i registry.Instance) bool {
		line = i.Addr.AppendTo(line[:0])
		return strings.Contains(string(line), text)
	})
}
