package ui

import (
	"slices"
	"strconv"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// most is how many instances of an unfolded group are shown. Those that are up are left
// out first.
const most = 200

// standing is the sheet of the state of the whole.
func (s *speech) standing(v *View, c choice) sheet {
	return sheet{"state", []row{s.row("overall", "overall", "div", "overall", struct {
		*Overview
		Troubled int
	}{v.Overview, c.troubled})}}
}

// strip is the sheet of the proxies.
func (s *speech) strip(v *View) sheet {
	sh := sheet{id: "strip"}
	for i := range v.Overview.Proxies {
		p := &v.Overview.Proxies[i]
		class := "proxy"
		if !p.Ready {
			class += " bad"
		}
		key := (&Group{Proxy: p.Name}).key()
		sh.rows = append(sh.rows, s.row("proxy", "p"+key, "div", class, struct {
			*Proxy
			Sources []registry.ConnectionStatus
		}{p, v.Steady.sources(p, v.Now)}))
	}
	return sh
}

// groupRow is the data of a group's row.
type groupRow struct {
	*Group
	Key, URL string
	Open     bool
	Remarks  []remark
	Several  bool // there are several proxies
}

// The templates call these.

func (g groupRow) RateText() string     { return g.rate() }
func (g groupRow) ShareText() string    { return g.share() }
func (g groupRow) ShareTone() tone      { return g.shareTone() }
func (g groupRow) ResponseText() string { return g.response() }

// groups is the sheet of the groups and what is unfolded of them.
func (s *speech) groups(v *View, c choice) sheet {
	sh := sheet{id: "groups"}
	for _, g := range c.groups {
		key := g.key()
		data := groupRow{g, key, v.Asked.toggled(key).url(), v.Asked.unfolds(key), g.remarks(), len(v.Overview.Proxies) > 1}
		class := "group"
		if len(data.Remarks) > 0 {
			class += " " + string(data.Remarks[0].Tone)
		}
		sh.rows = append(sh.rows, s.row("group", key, "tr", class, data))
		if data.Open {
			sh.rows = append(sh.rows, s.unfolded(g, key)...)
		}
	}
	if len(c.groups) == 0 {
		sh.rows = append(sh.rows, s.row("nogroup", "nogroup", "tr", "none", c.all > 0))
	}
	return sh
}

// instanceRow is the data of an instance's row.
type instanceRow struct {
	*Instance
	Tone tone
}

func (i instanceRow) RateText() string     { return i.rate() }
func (i instanceRow) ShareText() string    { return i.share() }
func (i instanceRow) ShareTone() tone      { return i.shareTone() }
func (i instanceRow) ResponseText() string { return i.response() }

// Plain reports whether there is nothing to say of the state: it serves because it is
// registered where most are.
func (i instanceRow) Plain() bool {
	return i.State == "up" && (i.Reason == "registered" || i.Reason == "registered in ZooKeeper")
}

// Tone is the color of a worker's state.
func (w Worker) Tone() string { return string(w.State.tone()) }

// unfolded returns the rows of a group's findings and instances.
func (s *speech) unfolded(g *Group, key string) (rows []row) {
	for i, f := range g.Findings {
		rows = append(rows, s.row("finding", key+".f"+strconv.Itoa(i), "tr", "finding", f))
	}
	all := g.Members.Instances()
	shown := all
	if len(all) > most {
		shown = fewest(all)
	}
	for i := range shown {
		data := instanceRow{&shown[i], shown[i].State.tone()}
		rows = append(rows, s.row("instance", key+"-"+data.Address, "tr", "instance "+string(data.Tone), data))
	}
	return append(rows, s.row("foot", key+".foot", "tr", "foot", struct {
		*Group
		Hidden, All int
	}{g, len(all) - len(shown), len(all)}))
}

// fewest returns as many instances as are shown, in their order: all that are not up, if
// these are not too many, and some that are.
func fewest(all []Instance) []Instance {
	others := 0
	for i := range all {
		if all[i].State != "up" {
			others++
		}
	}
	up := max(0, most-others)
	var shown []Instance
	for _, i := range all {
		if i.State == "up" {
			if up == 0 {
				continue
			}
			up--
		}
		if shown = append(shown, i); len(shown) == most {
			break
		}
	}
	return shown
}

// pager is the sheet of what is on the page and what is not.
func (s *speech) pager(v *View, c choice) sheet {
	data := struct {
		All, Matching, First, Last, Page, Pages int
		Earlier, Later                          string
	}{All: c.all, Matching: c.matching, First: c.page*onPage + 1, Last: c.page*onPage + len(c.groups), Page: c.page + 1, Pages: c.pages}
	to := v.Asked
	if to.Page = c.page - 1; c.page > 0 {
		data.Earlier = to.url()
	}
	if to.Page = c.page + 1; to.Page < c.pages {
		data.Later = to.url()
	}
	return sheet{"pager", []row{s.row("pager", "pages", "div", "pages", data)}}
}

// events is the sheet of the events.
func (s *speech) events(v *View) sheet {
	sh := sheet{id: "events"}
	for i := range v.Events.List {
		e := &v.Events.List[i]
		data := struct {
			*Event
			Tone    tone
			Several bool
		}{e, eventTone(e.Kind), len(v.Overview.Proxies) > 1}
		sh.rows = append(sh.rows, s.row("event", "e"+strconv.FormatUint(e.Seq, 10), "tr", "event "+string(data.Tone), data))
	}
	last := ""
	switch {
	case len(v.Events.List) == 0:
		last = "no_events"
	case v.Events.More:
		last = "more_events"
	case v.Events.Lost:
		last = "lost_events"
	}
	if last != "" {
		sh.rows = append(sh.rows, s.row("eventsend", "eventsend", "tr", "none", last))
	}
	return sh
}

// eventTone is the color of an event.
func eventTone(k registry.EventKind) tone {
	switch {
	case slices.Contains([]registry.EventKind{registry.EventOutage, registry.EventDown, registry.EventReloadFailed, registry.EventConfigurationRejected, registry.EventZooKeeperLost, registry.EventDirectoryLost}, k):
		return bad
	case slices.Contains([]registry.EventKind{registry.EventHeld, registry.EventDamped, registry.EventWorkerExit}, k):
		return warn
	case slices.Contains([]registry.EventKind{registry.EventUp, registry.EventOutageOver, registry.EventReleased, registry.EventZooKeeperBack, registry.EventDirectoryBack, registry.EventServing, registry.EventConfigurationAccepted}, k):
		return good
	}
	return info
}
