package stats

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// showGone is how long the counters of an instance that has left are still shown: longer
// than the usual interval between two scrapes, so that the last requests are seen.
const showGone = 5 * time.Minute

// sampled is the number of requests over which HAProxy averages.
const sampled = 1024

// merging makes a [Reading] of the statistics of several workers.
type merging struct {
	reading *Reading
	ledger  *ledger
	// since is the mark of the ledger since which rates are.
	since int
	want  *registry.Snapshot
	// groups has the index of each group of the snapshot, figures what was found of it.
	groups map[string]int
	found  []*merged
	fronts map[string]*merged
	order  []string // of the frontends
	// instances has the found instances of each group.
	instances []map[netip.AddrPort]*merged
}

// answered is what one worker reported.
type answered struct {
	pid  int
	rows []haproxy.Stats
}

// merged is what was found of one frontend, group or instance so far.
type merged struct {
	Figures
	weight  uint64
	up      int // number of workers that have it up
	upIn    int // the pid of the last of them
	servers []Server
	// spent is the sum of the response times, and samples the number of requests in it.
	spent   time.Duration
	samples uint64
}

// merge returns what the workers report as one reading. want has the groups of interest,
// and the instances that they are meant to have.
func merge(l *ledger, want *registry.Snapshot, at time.Time, answers []answered) *Reading {
	m := merging{
		reading: &Reading{Proxy: want.Proxy, At: at, Workers: len(answers)}, ledger: l, want: want,
		groups: make(map[string]int, len(want.Groups)), found: make([]*merged, len(want.Groups)),
		fronts: make(map[string]*merged), instances: make([]map[netip.AddrPort]*merged, len(want.Groups)),
	}
	m.since, m.reading.Window = l.window()
	for i, g := range want.Groups {
		m.groups[g.Name] = i
		m.instances[i] = make(map[netip.AddrPort]*merged, len(g.Instances))
	}
	for _, worker := range answers {
		for _, row := range worker.rows {
			m.add(worker.pid, row)
		}
	}
	if len(answers) > 0 {
		m.finish()
	}
	return m.reading
}

func (m *merging) add(pid int, row haproxy.Stats) {
	if row.Kind == haproxy.OfFrontend {
		f := m.fronts[row.Proxy]
		if f == nil {
			f = new(merged)
			m.fronts[row.Proxy], m.order = f, append(m.order, row.Proxy)
		}
		f.add(row)
		return
	}
	i, known := m.groups[row.Proxy]
	if !known {
		return // a backend of the template
	}
	if row.Kind == haproxy.OfBackend {
		if m.found[i] == nil {
			m.found[i] = new(merged)
		}
		m.found[i].add(row)
		return
	}
	if !m.present(i, row) {
		return
	}
	found := m.instances[i][row.Addr]
	if found == nil {
		found = &merged{weight: row.Weight, servers: make([]Server, 0, m.reading.Workers)}
		m.instances[i][row.Addr] = found
	}
	found.add(row)
	found.weight = min(found.weight, row.Weight)
	if row.Status == haproxy.StatusUp && found.upIn != pid {
		found.up, found.upIn = found.up+1, pid
	}
	found.servers = append(found.servers, Server{
		PID: pid, Name: row.Server, Status: row.Status, Weight: row.Weight, Since: m.ledger.since(pid, row), Starting: row.Starting,
		Sessions: row.Sessions, Queued: row.Queued, Check: row.Check,
	})
}

// present reports whether a server has an instance, which a slot that its instance has
// left still seems to have.
func (m *merging) present(group int, row haproxy.Stats) bool {
	if !row.Addr.IsValid() || row.Status != haproxy.StatusMaint || row.Sessions+row.Queued > 0 {
		return row.Addr.IsValid()
	}
	_, meant := slices.BinarySearchFunc(m.want.Groups[group].Instances, row.Addr, func(i registry.Instance, addr netip.AddrPort) int { return i.Addr.Compare(addr) })
	return meant
}

func (f *merged) add(row haproxy.Stats) {
	f.Sessions += row.Sessions
	f.Queued += row.Queued
	f.Limit += row.Limit
	f.HTTP = f.HTTP || row.HTTP
	n := min(max(1, row.Counters[haproxy.TotalSessions]), sampled)
	f.spent += row.ResponseTime * time.Duration(n)
	f.samples += n
}

// figures returns the figures with the counters of the ledger, and the label of an
// instance.
func (m *merging) figures(f *merged, of subject) (figures Figures, label string) {
	if f.samples > 0 {
		f.ResponseTime = f.spent / time.Duration(f.samples)
	}
	if t := m.ledger.totals[of]; t != nil {
		t.present = m.reading.At
		f.Counters = t.counters
		if window := m.reading.Window; window > 0 {
			f.Rates = tallyOf(&t.counters).since(t.marks[m.since], window)
		}
		label = t.label
	}
	return f.Figures, label
}

func (m *merging) finish() {
	for _, name := range m.order {
		figures, _ := m.figures(m.fronts[name], subject{kind: haproxy.OfFrontend, proxy: name})
		m.reading.Frontends = append(m.reading.Frontends, Frontend{name, figures})
	}
	gone := m.gone()
	var addrs []netip.AddrPort
	for i, wanted := range m.want.Groups {
		if m.found[i] == nil {
			continue
		}
		g := Group{Name: wanted.Name}
		g.Figures, _ = m.figures(m.found[i], subject{kind: haproxy.OfBackend, proxy: wanted.Name})
		g.Instances = make([]Instance, 0, len(m.instances[i])+len(gone[i]))
		// Addresses are sorted before they are instances, which are large.
		addrs = slices.AppendSeq(addrs[:0], maps.Keys(m.instances[i]))
		slices.SortFunc(addrs, netip.AddrPort.Compare)
		for _, addr := range addrs {
			f := m.instances[i][addr]
			figures, label := m.figures(f, subject{haproxy.OfServer, wanted.Name, addr})
			g.Instances = append(g.Instances, Instance{
				Addr: addr, Up: f.up == m.reading.Workers, Weight: f.weight, Servers: f.servers, Figures: figures, label: label,
			})
		}
		if len(gone[i]) > 0 {
			g.Instances = append(g.Instances, gone[i]...)
			slices.SortFunc(g.Instances, func(a, b Instance) int { return a.Addr.Compare(b.Addr) })
		}
		m.reading.Groups = append(m.reading.Groups, g)
	}
}

// gone returns the instances that have left recently, by the index of their group.
func (m *merging) gone() map[int][]Instance {
	left := make(map[int][]Instance)
	for of, t := range m.ledger.totals {
		if of.kind != haproxy.OfServer || t.present.IsZero() || m.reading.At.Sub(t.present) > showGone {
			continue
		}
		i, known := m.groups[of.proxy]
		if known && m.instances[i][of.addr] == nil {
			left[i] = append(left[i], Instance{Addr: of.addr, Gone: true, Figures: Figures{HTTP: m.found[i] != nil && m.found[i].HTTP, Counters: t.counters}, label: t.label})
		}
	}
	return left
}
