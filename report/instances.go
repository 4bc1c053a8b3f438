package report

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// instances are those of one group, as the workers report them.
type instances struct {
	name   Name
	header http.Header
	all    []query.InstanceDetail
	// carriedBy is how the group gets its servers, carriedReason why that is not as
	// configured.
	carriedBy, carriedReason string
	now                      time.Time
}

// askInstances asks for the instances of PROXY/GROUP, which must exist.
func askInstances(ctx context.Context, port Port, n Name) (*instances, error) {
	details, header, err := ask[map[string]map[string]query.GroupDetail](ctx, port, n.Path()+"?detail")
	if err != nil {
		return nil, orUnknownName(ctx, port, n, err)
	}
	group := details[n.Proxy][n.Group]
	return &instances{n, header, group.Instances, group.CarriedBy, group.CarriedReason, time.Now()}, nil
}

// writeTo writes a table of the instances to a page; a wide one has more columns.
func (i *instances) writeTo(p *terminal.Page, wide bool) {
	writeFreshness(p, i.header)
	if len(i.all) == 0 {
		p.Line(terminal.Bad, "", fmt.Sprintf("%s has no instance, its requests fail", i.name))
		return
	}
	p.Table(instanceTable(i.all, wide, i.now))
	switch {
	case !wide || i.carriedBy == "":
	case i.carriedReason != "":
		p.Line(terminal.Warning, "", fmt.Sprintf("carried by %s: %s", i.carriedBy, i.carriedReason))
	default:
		p.Line(terminal.Plain, "", "carried by "+i.carriedBy)
	}
}

// writeFreshness writes why an answer may be out of date or incomplete.
func writeFreshness(p *terminal.Page, h http.Header) {
	for _, warning := range (query.Answer{Header: h}).Warnings() {
		p.Line(terminal.Warning, "", warning)
	}
	writeSilence(p, h)
}

// writeSilence writes that workers are missing in an answer.
func writeSilence(p *terminal.Page, h http.Header) {
	if silent := h.Get("Haproxy-Zk-Silent-Workers"); silent != "" {
		p.Line(terminal.Bad, "", silent+" HAProxy workers do not answer and are missing here")
	}
}

// instanceTable returns a table of instances.
func instanceTable(all []query.InstanceDetail, wide bool, now time.Time) *terminal.Table {
	columns := []terminal.Column{{Title: "INSTANCE"}, {Title: "STATE"}, {Title: "SINCE"}, {Title: "SESSIONS", Right: true}}
	if wide {
		columns = append(columns, terminal.Column{Title: "QUEUE", Right: true}, terminal.Column{Title: "WEIGHT", Right: true}, terminal.Column{Title: "WORKERS", Shrinks: true}, terminal.Column{Title: "LAST CHECK", Shrinks: true}, terminal.Column{Title: "SET BY"})
	}
	t := terminal.NewTable(append(columns, terminal.Column{Title: "WHY", Shrinks: true})...)
	for _, d := range all {
		begun := "-"
		if d.Since != nil {
			begun = ago(*d.Since, now)
		}
		why := d.Reason
		if d.Differs {
			why = "not the same in all workers: " + why
		}
		state := terminal.Cell{Text: d.State, Style: styleOf(d.State)}
		row := []terminal.Cell{terminal.Text(d.Address), state, terminal.Text(begun), terminal.Text(fmt.Sprint(d.Sessions))}
		if wide {
			var workers []string
			check := ""
			for _, w := range d.Workers {
				workers = append(workers, fmt.Sprintf("%d:%s=%s", w.PID, w.Server, w.State))
				if check == "" || w.State == d.State {
					check = checkText(w)
				}
			}
			row = append(row, terminal.Text(fmt.Sprint(d.Queue)), terminal.Text(fmt.Sprint(d.Weight)), terminal.Text(strings.Join(workers, " ")), terminal.Text(check), terminal.Text(d.SetBy))
		}
		t.Add(append(row, terminal.Text(why))...)
	}
	return t
}
