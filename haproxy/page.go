package haproxy

import (
	"bytes"
	"fmt"
	"strings"
)

// Place is the origin of a line of a rendered configuration.
type Place struct {
	// Template is the template's line, counted from 1; 0 for a line that was added.
	Template int
	// Group is the group for which the line was added, or empty.
	Group string
	// Line is the index in the group's [Backend.Lines], counted from 1, or 0.
	Line int
}

// page is a configuration being rendered.
type page struct {
	bytes.Buffer

	// now is the origin of the next line.
	now Place
	// places has one entry per line; it is nil if not needed.
	places *[]Place
}

// linef writes one line, indented as in HAProxy's manual.
func (p *page) linef(format string, args ...any) {
	p.WriteString("    ")
	fmt.Fprintf(p, format, args...)
	p.end()
}

// line is linef of parts, for lines of which there are thousands.
func (p *page) line(parts ...string) {
	p.WriteString("    ")
	for _, part := range parts {
		p.WriteString(part)
	}
	p.end()
}

// text writes lines unchanged.
func (p *page) text(lines string) {
	for line := range strings.Lines(lines) {
		p.WriteString(strings.TrimSuffix(line, "\n"))
		p.end()
	}
}

func (p *page) end() {
	p.WriteByte('\n')
	if p.places != nil {
		*p.places = append(*p.places, p.now)
	}
}
