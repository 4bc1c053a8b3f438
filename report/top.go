package report

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// topAgain is how long Top waits for the second reading, without which there are no rates.
const topAgain = 1100 * time.Millisecond

// Top writes to a page the busiest instances of everything, of a proxy or of a group, at
// most limit. by is one of [query.TopOrders]. It waits a second for rates if nobody has
// asked before.
func Top(ctx context.Context, port Port, p *terminal.Page, n Name, by string, limit int, f Format) error {
	path := n.Path() + "?" + url.Values{"top": {by}, "limit": {strconv.Itoa(limit)}}.Encode()
	answer, t, err := askTop(ctx, port, path)
	if err == nil && !t.measured() {
		timer := time.NewTimer(topAgain)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		answer, t, err = askTop(ctx, port, path)
	}
	if err != nil {
		return orUnknownName(ctx, port, n, err)
	}
	if f == JSON {
		p.Raw(answer.Body)
		return nil
	}
	writeSilence(p, answer.Header)
	t.writeTo(p)
	return nil
}

// top are the busiest instances.
type top struct {
	By        string
	Of        int
	Instances []query.TopInstance
}

func askTop(ctx context.Context, port Port, path string) (answer query.Answer, t top, err error) {
	if answer, err = port.Get(ctx, path); err != nil {
		return answer, t, err
	}
	if refusal := answer.Refusal(); refusal != nil {
		return answer, t, fmt.Errorf("%s is %w", path, refusal)
	}
	t, err = parse[top](answer, path)
	return answer, t, err
}

// measured reports whether there are rates, which need two readings, a second apart.
func (t *top) measured() bool {
	for _, i := range t.Instances {
		if i.Rates == nil {
			return false
		}
	}
	return true
}

// writeTo writes a table of the instances to a page.
func (t *top) writeTo(p *terminal.Page) {
	if len(t.Instances) == 0 {
		p.Line(terminal.Warning, "", "there is no instance")
		return
	}
	table := terminal.NewTable(
		terminal.Column{Title: "ERR/S", Right: true}, terminal.Column{Title: "5XX %", Right: true}, terminal.Column{Title: "REQ/S", Right: true}, terminal.Column{Title: "SESSIONS", Right: true}, terminal.Column{Title: "INSTANCE", Shrinks: true},
		terminal.Column{Title: "STATE"}, terminal.Column{Title: "QUEUE", Right: true}, terminal.Column{Title: "TIME", Right: true}, terminal.Column{Title: "IN/S", Right: true}, terminal.Column{Title: "OUT/S", Right: true}, terminal.Column{Title: "ERRORS", Right: true},
	)
	window := 0.0
	for _, i := range t.Instances {
		row := []terminal.Cell{{Text: "-"}, {Text: "-"}, {Text: "-"}, terminal.Text(strconv.FormatUint(i.Sessions, 10)), terminal.Text(Name{i.Proxy, i.Group, i.Address}.String()), {Text: i.State, Style: styleOf(i.State)}, terminal.Text(strconv.FormatUint(i.Queue, 10)), {Text: "-"}, {Text: "-"}, {Text: "-"}, terminal.Text(strconv.FormatUint(i.ErrorsTotal, 10))}
		if i.ResponseTime != nil {
			row[7].Text = seconds(*i.ResponseTime)
		}
		if r := i.Rates; r != nil {
			window = max(window, r.Window)
			row[0] = terminal.Cell{Text: rate(r.Errors)}
			if r.Errors > 0 {
				row[0].Style = terminal.Bad
			}
			row[1].Text, row[2].Text = fmt.Sprintf("%.1f", 100*r.Share5xx), rate(r.Sessions)
			row[8].Text, row[9].Text = bytesText(r.BytesIn), bytesText(r.BytesOut)
		}
		table.Add(row...)
	}
	p.Table(table)
	text := fmt.Sprintf("%d of %s, by %s", len(t.Instances), plural(t.Of, "instance", "instances"), t.By)
	if window > 0 {
		text += fmt.Sprintf("; rates of the last %s", seconds(window))
	}
	p.Line(terminal.Faint, "", text)
}

// rate returns a rate for people.
func rate(r float64) string {
	switch {
	case r == 0:
		return "0"
	case r < 10:
		return fmt.Sprintf("%.1f", r)
	}
	return fmt.Sprintf("%.0f", r)
}

// bytesText returns a number of bytes for people.
func bytesText(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 999.5 {
			if unit == "B" || n >= 99.5 {
				return fmt.Sprintf("%.0f%s", n, unit)
			}
			return fmt.Sprintf("%.1f%s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.1fTB", n)
}
