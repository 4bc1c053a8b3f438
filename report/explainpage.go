package report

import (
	"fmt"

	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// maxTroubled is how many instances of a group are listed that do not simply serve.
const maxTroubled = 20

// writeTo writes the explanation to a page: the answer, what to do, then the facts.
func (e *explanation) writeTo(p *terminal.Page) {
	p.Line(e.verdict.style, "", e.verdict.text)
	for _, remedy := range e.verdict.remedy {
		p.Line(terminal.Strong, "  ", "→ "+remedy)
	}
	p.Gap()
	for _, f := range e.facts {
		p.Line(f.style, "", f.what+": "+f.text)
	}
	if len(e.workers) > 0 {
		p.Gap()
		p.Table(e.workerTable())
	}
	if len(e.troubled) > 0 {
		p.Gap()
		p.Table(instanceTable(e.troubled[:min(len(e.troubled), maxTroubled)], false, e.now))
		if more := len(e.troubled) - maxTroubled; more > 0 {
			p.Line(terminal.Faint, "", fmt.Sprintf("… and %d more: haproxy-zk get %s", more, e.name))
		}
	}
	if len(e.events) > 0 {
		p.Gap()
		p.Line(terminal.Faint, "", "what happened lately:")
		p.Table(eventTable(e.events, e.now, false))
	}
}

func (e *explanation) workerTable() *terminal.Table {
	t := terminal.NewTable(
		terminal.Column{Title: "WORKER", Right: true}, terminal.Column{Title: "SERVER", Shrinks: true}, terminal.Column{Title: "STATE"}, terminal.Column{Title: "SINCE"},
		terminal.Column{Title: "WEIGHT", Right: true}, terminal.Column{Title: "SESSIONS", Right: true}, terminal.Column{Title: "QUEUE", Right: true}, terminal.Column{Title: "LAST CHECK", Shrinks: true},
	)
	for _, w := range e.workers {
		t.Add(terminal.Text(fmt.Sprint(w.PID)), terminal.Text(w.Server), terminal.Cell{Text: w.State, Style: styleOf(w.State)},
			terminal.Text(at(w.Since, e.now)+" ("+ago(w.Since, e.now)+")"), terminal.Text(fmt.Sprint(w.Weight)), terminal.Text(fmt.Sprint(w.Sessions)), terminal.Text(fmt.Sprint(w.Queue)), terminal.Text(checkText(w)))
	}
	return t
}

func checkText(w query.WorkerDetail) string {
	c := w.LastCheck
	if c == nil {
		return "none"
	}
	text := c.Status
	if c.Code > 0 {
		text += fmt.Sprintf(" %d", c.Code)
	}
	text += " in " + seconds(c.Duration)
	if c.Text != "" {
		text += ": " + c.Text
	}
	return text
}

// styleOf returns how a state is shown.
func styleOf(state string) terminal.Style {
	switch state {
	case query.StateUp:
		return terminal.Good
	case query.StateDown, query.StateWaiting:
		return terminal.Bad
	}
	return terminal.Warning
}
