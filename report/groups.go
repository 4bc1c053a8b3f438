package report

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// groups are those of all proxies or of one.
type groups struct {
	header http.Header
	rows   []groupRow
}

// groupRow is a group in a table.
type groupRow struct {
	proxy, group string
	// meant are the instances in service, up those of them that every worker has up; up is
	// -1 if no worker answers.
	meant, up, held int
	// rank orders groups, the worst first.
	rank      int
	what      string
	style     terminal.Style
	addresses []string
}

// askGroups asks for the groups of all proxies, or of one, which must exist.
func askGroups(ctx context.Context, port Port, n Name) (*groups, error) {
	var readiness ready
	var readinessError error
	all, header, err := find(ctx, port, n)
	if err != nil {
		return nil, err
	}
	proxies := sortedKeys(all)
	if n.Proxy != "" {
		proxies = []string{n.Proxy}
	}
	var asking sync.WaitGroup
	asking.Go(func() { readiness, _, readinessError = ask[ready](ctx, port, "/readyz") })
	answers := make([]listed, len(proxies))
	for i, proxy := range proxies {
		asking.Go(func() { answers[i], _, _ = ask[listed](ctx, port, Name{Proxy: proxy}.Path()+"?passing") }) // without it, up is unknown
	}
	asking.Wait()
	if readinessError != nil {
		return nil, readinessError
	}
	g := &groups{header: header}
	for i, proxy := range proxies {
		for _, group := range sortedKeys(all[proxy]) {
			up := -1
			if passing := answers[i]; passing != nil {
				up = len(passing[proxy][group].Instances)
			}
			g.rows = append(g.rows, newGroupRow(proxy, group, all[proxy][group].Instances, up, readiness.Proxies[proxy]))
		}
	}
	slices.SortStableFunc(g.rows, func(a, b groupRow) int { return cmp.Compare(b.rank, a.rank) })
	return g, nil
}

// newGroupRow returns the row of a group, with what is wrong with it.
func newGroupRow(proxy, group string, instances []string, up int, c query.Condition) groupRow {
	r := groupRow{proxy: proxy, group: group, meant: len(instances), up: up, held: len(c.Held[group]), addresses: instances}
	wrong := func(rank int, style terminal.Style, format string, args ...any) {
		if rank > r.rank {
			r.rank, r.style = rank, style
		}
		if r.what != "" {
			r.what += "; "
		}
		r.what += fmt.Sprintf(format, args...)
	}
	switch {
	case slices.Contains(c.Waiting, group):
		wrong(6, terminal.Bad, "not read from %s yet", readFrom(c))
	case r.meant == 0:
		wrong(3, terminal.Warning, "no instance is registered, requests fail")
	case up == 0:
		wrong(7, terminal.Bad, "no instance is up, requests fail")
	case up > 0 && up < r.meant:
		wrong(5, terminal.Warning, "%d not up", r.meant-up)
	case up < 0:
		wrong(4, terminal.Warning, "HAProxy does not answer")
	}
	if slices.Contains(c.Full, group) {
		wrong(6, terminal.Bad, "full, instances wait for a server")
	}
	if r.held > 0 {
		wrong(5, terminal.Warning, "%d deregistered, held by the loss guard", r.held)
	}
	if n := len(c.Damped[group]); n > 0 {
		wrong(2, terminal.Warning, "%d flapping", n)
	}
	if n := len(c.Operator[group]) + len(c.Agent[group]); n > 0 {
		wrong(2, terminal.Warning, "%d changed by an operator or agent check", n)
	}
	for _, f := range c.Registrations[group].Found {
		if f.Count > 0 {
			wrong(1, terminal.Warning, "%d skipped (%s)", f.Count, f.Kind)
		}
	}
	return r
}

// writeTo writes a table of the groups to a page, those with problems first; a wide one
// has their instances.
func (g *groups) writeTo(p *terminal.Page, wide bool) {
	writeFreshness(p, g.header)
	if len(g.rows) == 0 {
		p.Line(terminal.Warning, "", "there is no group")
		return
	}
	columns := []terminal.Column{{Title: "GROUP", Shrinks: true}, {Title: "UP", Right: true}, {Title: "OF", Right: true}}
	if wide {
		columns = append(columns, terminal.Column{Title: "HELD", Right: true}, terminal.Column{Title: "INSTANCES", Shrinks: true})
	}
	t := terminal.NewTable(append(columns, terminal.Column{Title: "PROBLEM", Shrinks: true})...)
	for _, r := range g.rows {
		up := terminal.Cell{Text: fmt.Sprint(r.up), Style: r.style}
		switch {
		case r.up < 0:
			up.Text = "?"
		case r.rank == 0:
			up.Style = terminal.Good
		}
		row := []terminal.Cell{terminal.Text(r.proxy + "/" + r.group), up, terminal.Text(fmt.Sprint(r.meant))}
		if wide {
			row = append(row, terminal.Text(fmt.Sprint(r.held)), terminal.Text(strings.Join(r.addresses, " ")))
		}
		t.Add(append(row, terminal.Cell{Text: r.what, Style: r.style})...)
	}
	p.Table(t)
}
