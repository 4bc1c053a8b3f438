package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// Status writes to a page the status of a process, of which readyz is the answer to
// /readyz: a table, or in another format the names of the proxies.
func Status(p *terminal.Page, pid int, readyz []byte, f Format) error {
	s, err := parseStatus(pid, readyz)
	if err != nil {
		return err
	}
	if f != Names {
		s.writeTo(p, f == Wide)
		return nil
	}
	for _, name := range s.proxies() {
		p.Raw([]byte(name + "\n"))
	}
	return nil
}

// status is what /readyz answers.
type status struct {
	pid  int
	of   ready
	when time.Time
}

func parseStatus(pid int, body []byte) (*status, error) {
	s := &status{pid: pid, when: time.Now()}
	if err := json.Unmarshal(body, &s.of); err != nil {
		return nil, fmt.Errorf("the answer to /readyz is not what this version of haproxy-zk understands: %w", err)
	}
	return s, nil
}

// proxies returns their names.
func (s *status) proxies() []string { return sortedKeys(s.of.Proxies) }

// who names the process, and where it runs if it knows.
func (s *status) who() string {
	text := fmt.Sprintf("haproxy-zk (process %d)", s.pid)
	if s.of.Node != "" {
		text += " on " + s.of.Node
	}
	if s.of.Zone != "" {
		text += " in " + s.of.Zone
	}
	return text
}

// writeTo writes the status to a page: whether requests should be sent here, what is
// wrong, then a table of the proxies.
func (s *status) writeTo(p *terminal.Page, wide bool) {
	problems := s.problems()
	switch {
	case s.of.Stopping:
		p.Line(terminal.Bad, "", fmt.Sprintf("%s is stopping", s.who()))
	case !s.of.Ready:
		p.Line(terminal.Bad, "", fmt.Sprintf("%s is NOT READY: %s", s.who(), orUnknown(problems)))
	case len(problems) > 0:
		p.Line(terminal.Warning, "", fmt.Sprintf("%s is ready, with problems: %s", s.who(), problems[0]))
	default:
		p.Line(terminal.Good, "", fmt.Sprintf("%s is ready, no problem is known", s.who()))
	}
	for _, problem := range problems[min(1, len(problems)):] {
		p.Line(terminal.Warning, "  ", problem)
	}
	p.Gap()
	columns := []terminal.Column{{Title: "PROXY", Shrinks: true}, {Title: "READY"}, {Title: "WORKERS", Right: true}, {Title: "SINCE"}, {Title: "DRAINING", Right: true}}
	if wide {
		columns = append(columns, terminal.Column{Title: "PIDS"}, terminal.Column{Title: "DOWN", Right: true}, terminal.Column{Title: "HELD", Right: true}, terminal.Column{Title: "SKIPPED", Right: true})
	}
	columns = append(columns, terminal.Column{Title: "GROUPS CARRIED BY", Shrinks: true})
	sources := s.sources()
	for _, name := range sources {
		columns = append(columns, terminal.Column{Title: strings.ToUpper(name), Shrinks: true})
	}
	t := terminal.NewTable(columns...)
	for _, name := range s.proxies() {
		c := s.of.Proxies[name]
		ready := terminal.Cell{Text: "yes", Style: terminal.Good}
		if !c.Ready {
			ready = terminal.Cell{Text: "no", Style: terminal.Bad}
		}
		workers, begun, draining := 0, "-", 0
		var pids []string
		for i, g := range c.Generations {
			if i == 0 && !g.Draining {
				workers, begun = len(g.PIDs), ago(g.Since, s.when)
				for _, pid := range g.PIDs {
					pids = append(pids, fmt.Sprint(pid))
				}
				continue
			}
			draining += len(g.PIDs)
		}
		row := []terminal.Cell{terminal.Text(name), ready, terminal.Text(fmt.Sprint(workers)), terminal.Text(begun), terminal.Text(fmt.Sprint(draining))}
		if wide {
			held, skipped := 0, 0
			for _, of := range c.Held {
				held += len(of)
			}
			for _, r := range c.Registrations {
				for _, f := range r.Found {
					skipped += f.Count
				}
			}
			row = append(row, terminal.Text(strings.Join(pids, ",")), terminal.Text(fmt.Sprint(len(c.Down))), terminal.Text(fmt.Sprint(held)), terminal.Text(fmt.Sprint(skipped)))
		}
		row = append(row, terminal.Text(carriedText(c)))
		of := sourcesOf(c)
		for _, name := range sources {
			row = append(row, sourceCell(of, name))
		}
		t.Add(row...)
	}
	p.Table(t)
}

// sources returns the names of the sources that proxies have.
func (s *status) sources() (names []string) {
	for _, proxy := range s.proxies() {
		for _, of := range sourcesOf(s.of.Proxies[proxy]) {
			if !slices.Contains(names, of.name) {
				names = append(names, of.name)
			}
		}
	}
	slices.Sort(names)
	slices.Reverse(names) // ZooKeeper first
	return names
}

func sourceCell(all []source, name string) terminal.Cell {
	for _, s := range all {
		if s.name == name && !s.reached {
			return terminal.Cell{Text: s.text, Style: terminal.Bad}
		}
		if s.name == name {
			return terminal.Text(s.text)
		}
	}
	return terminal.Text("-")
}

// carriedText counts the groups by how they get servers of HAProxy.
func carriedText(c query.Condition) string {
	var parts []string
	for _, way := range sortedKeys(c.CarriedBy) {
		parts = append(parts, fmt.Sprintf("%d %s", c.CarriedBy[way], way))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

func orUnknown(problems []string) string {
	if len(problems) == 0 {
		return "no proxy serves"
	}
	return problems[0]
}

// problems returns what is wrong, the worst first.
func (s *status) problems() (all []string) {
	add := func(proxy, format string, args ...any) {
		all = append(all, proxy+": "+fmt.Sprintf(format, args...))
	}
	var later []string
	for _, name := range s.proxies() {
		c := s.of.Proxies[name]
		if c.Problem != "" {
			add(name, "%s", essence(c.Problem))
		}
		if len(c.Waiting) > 0 {
			add(name, "not read from %s yet: %s", readFrom(c), few(c.Waiting))
		}
		for _, from := range sourcesOf(c) {
			switch {
			case !from.reached:
				add(name, "%s: %s", from.of, from.text)
			case from.slow:
				add(name, "%s is slow, changes come late: its latest answer took %s", from.of, seconds(c.RoundTrip))
			}
		}
		if len(c.Down) > 0 {
			add(name, "no instance is up, requests fail: %s", few(c.Down))
		}
		if len(c.Full) > 0 {
			add(name, "full, instances wait for a server: %s", few(c.Full))
		}
		if len(c.Held) > 0 {
			later = append(later, fmt.Sprintf("%s: deregistered instances are held by the loss guard: %s", name, few(sortedKeys(c.Held))))
		}
		if len(c.Recalled) > 0 {
			later = append(later, fmt.Sprintf("%s: instances come from the cache: %s", name, few(c.Recalled)))
		}
		if len(c.Registrations) > 0 {
			later = append(later, fmt.Sprintf("%s: registrations are skipped: %s", name, few(sortedKeys(c.Registrations))))
		}
		if groups := slices.Compact(slices.Sorted(slices.Values(append(append(sortedKeys(c.Operator), sortedKeys(c.Agent)...), sortedKeys(c.Damped)...)))); len(groups) > 0 {
			later = append(later, fmt.Sprintf("%s: instances were changed by an operator or agent check, or flap: %s", name, few(groups)))
		}
	}
	if text := s.of.Configuration.Error; text != "" {
		all = append(all, fmt.Sprintf("the configuration was rejected %s, the previous one is in effect: %s", since(s.of.Configuration.Since, s.when), text))
	}
	return append(all, later...)
}
