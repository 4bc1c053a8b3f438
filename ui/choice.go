package ui

import (
	"cmp"
	"slices"
	"strings"
)

// onPage is how many groups a page has: few enough that a browser shows them at once, and
// a change of each of them is small.
const onPage = 50

// choice are the groups of a page.
type choice struct {
	groups []*Group
	// all are the groups, matching those that were asked for, troubled those of all that
	// have a problem.
	all, matching, troubled int
	page, pages             int
}

// choose returns the groups that are asked for, in their order.
func (o *Overview) choose(a Asked) (c choice) {
	c.all = len(o.Groups)
	var found []*Group
	filter := strings.ToLower(a.Filter)
	for i := range o.Groups {
		g := &o.Groups[i]
		if g.troubled() {
			c.troubled++
		} else if a.Trouble {
			continue
		}
		if filter == "" || g.matches(filter) {
			found = append(found, g)
		}
	}
	c.matching = len(found)
	slices.SortStableFunc(found, order(a.Sort))
	c.pages = max(1, (len(found)+onPage-1)/onPage)
	c.page = min(a.Page, c.pages-1)
	c.groups = found[c.page*onPage : min(len(found), (c.page+1)*onPage)]
	return c
}

// matches reports whether a name contains the text, or an address. A text with a slash is
// compared to the name of the proxy too, and only what may be part of an address to
// addresses.
func (g *Group) matches(text string) bool {
	name := g.Name
	if strings.Contains(text, "/") {
		name = g.Proxy + "/" + name
	}
	if strings.Contains(strings.ToLower(name), text) {
		return true
	}
	return strings.Trim(text, "0123456789abcdef.:[]") == "" && g.Members != nil && g.Members.Has(text)
}

// order returns how groups are sorted by a column; the worst first without one.
func order(by string) func(a, b *Group) int {
	most := func(of func(*Group) float64) func(a, b *Group) int {
		return func(a, b *Group) int { return cmp.Or(cmp.Compare(of(b), of(a)), byName(a, b)) }
	}
	switch by {
	case "name":
		return byName
	case "registered":
		return most(func(g *Group) float64 { return float64(g.Registered) })
	case "up":
		return most(func(g *Group) float64 { return float64(g.Up) })
	case "held":
		return most(func(g *Group) float64 { return float64(g.Held) })
	case "waiting":
		return most(func(g *Group) float64 { return float64(g.Waiting) })
	case "rate":
		return most(func(g *Group) float64 { return coarse(g.Rate) })
	case "errors":
		return most(func(g *Group) float64 { return coarse(g.Share) })
	case "time":
		return most(func(g *Group) float64 { return coarse(g.ResponseTime.Seconds()) })
	case "queue":
		return most(func(g *Group) float64 { return coarse(float64(g.Queue)) })
	}
	return most(func(g *Group) float64 { return float64(g.standing()) })
}
