package report

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// Selection says of what events are wanted.
type Selection struct {
	// Of is a proxy or a group; of everything if it is empty.
	Of Name
	// Since is a duration such as 1h, or a time as in RFC 3339.
	Since string
	// Kinds are all if there is none.
	Kinds []string
}

// values returns the parameters of /events.
func (s Selection) values() url.Values {
	values := make(url.Values)
	for name, value := range map[string]string{"proxy": s.Of.Proxy, "group": s.Of.Group, "since": s.Since, "kind": strings.Join(s.Kinds, ",")} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// what says which events are selected.
func (s Selection) what() string {
	if s.Of.Proxy == "" {
		return "since " + s.Since
	}
	return "of " + s.Of.String() + " since " + s.Since
}

// Events writes to a page the events of a selection, the latest last.
func Events(ctx context.Context, port Port, p *terminal.Page, s Selection, f Format) error {
	answer, err := port.Get(ctx, "/events?"+s.values().Encode())
	if err != nil {
		return err
	}
	if err := answer.Refusal(); err != nil {
		return fmt.Errorf("/events is %w", err)
	}
	if f == JSON {
		p.Raw(answer.Body)
		return nil
	}
	list, err := parse[eventList](answer, "/events")
	if err == nil {
		list.writeTo(p, s.what(), time.Now())
	}
	return err
}

// event is an event as /events answers it.
type event struct {
	Seq                                    uint64
	Time                                   time.Time
	Kind                                   string
	Proxy, Group, Instance, Reason, Detail string
}

// eventList is an answer to /events.
type eventList struct {
	Events   []event
	Complete bool
}

// writeTo writes the events to a page. what says which they are.
func (l *eventList) writeTo(p *terminal.Page, what string, now time.Time) {
	if len(l.Events) == 0 {
		p.Line(terminal.Faint, "", "no event "+what)
	} else {
		p.Table(eventTable(l.Events, now, true))
	}
	if !l.Complete {
		p.Line(terminal.Warning, "", "earlier events are no longer kept")
	}
}

// eventTable returns a table of events; where says whether it has their proxy and group.
func eventTable(all []event, now time.Time, where bool) *terminal.Table {
	columns := []terminal.Column{{Title: "TIME"}, {Title: "AGO", Right: true}, {Title: "EVENT"}}
	if where {
		columns = append(columns, terminal.Column{Title: "OF", Shrinks: true})
	} else {
		columns = append(columns, terminal.Column{Title: "INSTANCE"})
	}
	t := terminal.NewTable(append(columns, terminal.Column{Title: "WHY", Shrinks: true})...)
	for _, e := range all {
		of := e.Instance
		if where {
			of = e.where()
		}
		t.Add(terminal.Text(at(e.Time, now)), terminal.Text(ago(e.Time, now)), terminal.Cell{Text: e.Kind, Style: styleOfKind(e.Kind)}, terminal.Text(of), terminal.Text(e.why()))
	}
	return t
}

func (e event) where() string {
	return Name{e.Proxy, e.Group, e.Instance}.String()
}

func (e event) why() string {
	switch {
	case e.Detail == "":
		return e.Reason
	case e.Reason == "":
		return e.Detail
	}
	return e.Reason + ": " + e.Detail
}

func styleOfKind(kind string) terminal.Style {
	switch kind {
	case "configuration_rejected", "zookeeper_lost", "reload_failed", "outage", "down", "held":
		return terminal.Bad
	case "zookeeper_back", "outage_over", "up", "serving", "released":
		return terminal.Good
	case "worker_exit", "damped", "operator", "draining", "removed", "deregistered":
		return terminal.Warning
	}
	return terminal.Plain
}
