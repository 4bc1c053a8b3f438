package ui

import (
	"html/template"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// page is the data of the whole page.
type page struct {
	Tag, Lang string
	Mark      string
	Build     string
	NowMillis int64
	Now       time.Time
	Asked     Asked
	Columns   []column
	Languages []link
	// Fields are what the form of the groups keeps of the rest, EventFields that of the
	// events.
	Fields, EventFields []field
	Spans               []option
	Kinds               []option
	Only                link
	Events              Events
	// Sheets are the rows of each.
	Sheets map[string]template.HTML
}

// column is a column of the groups.
type column struct {
	Name, URL string
	Sorted    bool
	Number    bool
}

type link struct {
	Name, URL string
	Current   bool
}

type field struct{ Name, Value string }

type option struct {
	Value    string
	Selected bool
}

func newPage(v *View, sheets *Sheets) *page {
	a := v.Asked
	p := &page{
		Tag: v.Lang.tag(), Lang: string(v.Lang), Mark: sheets.Mark(), NowMillis: v.Now.UnixMilli(), Now: v.Now, Asked: a,
		Sheets: make(map[string]template.HTML), Events: v.Events,
	}
	for _, name := range append([]string{"name", "status"}, sorts()[1:]...) {
		to := a
		to.Page = 0
		if to.Sort = name; name == "status" {
			to.Sort = "" // the worst first
		}
		p.Columns = append(p.Columns, column{Name: name, URL: to.url(), Sorted: to.Sort == a.Sort, Number: name != "name" && name != "status"})
	}
	for _, l := range []Lang{English, Chinese} {
		to := a
		to.Lang = l
		p.Languages = append(p.Languages, link{string(l), to.url(), l == v.Lang})
	}
	only := a
	only.Trouble, only.Page = !a.Trouble, 0
	p.Only = link{"trouble", only.url(), a.Trouble}
	add := func(to *[]field, name, value string) {
		if value != "" {
			*to = append(*to, field{name, value})
		}
	}
	for _, to := range []*[]field{&p.Fields, &p.EventFields} {
		add(to, "lang", string(a.Lang))
		add(to, "sort", a.Sort)
		if a.Trouble {
			add(to, "only", "trouble")
		}
		for i, open := range a.Open {
			if i == 0 {
				add(to, "open", open)
			} else {
				(*to)[len(*to)-1].Value += "," + open
			}
		}
	}
	add(&p.Fields, "since", a.since())
	add(&p.Fields, "kind", string(a.Kind))
	add(&p.Fields, "of", a.Of)
	add(&p.EventFields, "q", a.Filter)
	for _, span := range spans() {
		p.Spans = append(p.Spans, option{span, span == a.since()})
	}
	for _, kind := range registry.EventKinds() {
		p.Kinds = append(p.Kinds, option{string(kind), kind == a.Kind})
	}
	return p
}
