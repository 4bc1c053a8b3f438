package ui

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"strings"
	"time"
)

// Path is where the page is; its parts are below.
const Path = "/ui"

//go:embed templates
var templateFiles embed.FS

// cut separates the cells of a row, and a part of a cell is replaced where age is: neither
// can be in a text that was escaped.
const (
	cut = "\x1f"
	age = "\x1e"
)

// Renderer makes pages. Any goroutine may call its methods.
type Renderer struct {
	of map[Lang]*speech
	// Build identifies the script and style.
	Build string
}

// speech are the templates in one language, and its words.
type speech struct {
	templates *template.Template
	words     map[string]string
}

// View is a page that somebody asks for.
type View struct {
	Overview *Overview
	Events   Events
	Asked    Asked
	// Lang is the language of the page, whether it was asked for or is preferred.
	Lang Lang
	Now  time.Time
	// Steady is that of an open page, nil for a page that is shown once.
	Steady Steady
}

// New returns a renderer.
func New() *Renderer {
	r := &Renderer{of: make(map[Lang]*speech), Build: build()}
	for _, l := range []Lang{English, Chinese} {
		words, err := readWords(l)
		if err != nil {
			panic(err) // the files are part of the program
		}
		s := &speech{words: words}
		s.templates = template.Must(template.New("").Funcs(s.functions()).ParseFS(templateFiles, "templates/*.html"))
		r.of[l] = s
	}
	return r
}

// Sheets returns what a page shows. Times in it have no age, which the script adds.
func (r *Renderer) Sheets(v *View) *Sheets {
	s := r.of[v.Lang]
	c := v.Overview.choose(v.Asked)
	return &Sheets{[]sheet{
		s.standing(v, c), s.strip(v), s.groups(v, c), s.pager(v, c), s.events(v),
	}}
}

// Page returns the page.
func (r *Renderer) Page(v *View) []byte {
	s := r.of[v.Lang]
	sheets := r.Sheets(v)
	data := newPage(v, sheets)
	data.Build = r.Build
	for _, sh := range sheets.list {
		var text strings.Builder
		for i := range sh.rows {
			text.WriteString(sh.rows[i].html())
		}
		data.Sheets[sh.id] = template.HTML(s.withAges(text.String(), v.Now)) //nolint:gosec // made by the templates
	}
	return []byte(s.execute("page", data))
}

// execute executes a template, whose data always fits.
func (s *speech) execute(name string, data any) string {
	var out bytes.Buffer
	if err := s.templates.ExecuteTemplate(&out, name, data); err != nil {
		panic(err) // the templates and their data are part of the program, and tested
	}
	return out.String()
}

// row returns a row whose cells are made by a template.
func (s *speech) row(name, key, tag, class string, data any) row {
	text := strings.TrimSpace(s.execute(name, data))
	cells := strings.Split(text, cut)
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return row{key: key, tag: tag, class: class, cells: cells}
}

// withAges puts the age of each time in its place.
func (s *speech) withAges(text string, now time.Time) string {
	const begin = `<time datetime="`
	parts := strings.Split(text, age)
	for i, part := range parts[:len(parts)-1] {
		at := part[strings.LastIndex(part, begin)+len(begin):]
		at, _, _ = strings.Cut(at, `"`)
		if since, err := time.Parse(time.RFC3339, at); err == nil {
			parts[i] += s.age(now.Sub(since))
		}
	}
	return strings.Join(parts, "")
}

func appendJSON(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // texts and maps of them always have a JSON form
	}
	return bytes.TrimSpace(bytes.ReplaceAll(out.Bytes(), []byte(`\u001e`), nil))
}
