package haproxy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// blockWords are the placeholders that expand to whole lines.
const blockWords = `(?:sockets|acl|use_backend|default_backend|backend)`

var (
	placeholder = regexp.MustCompile(`\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))`)
	// The Python daemon replaced its placeholders anywhere, and templates have several on
	// one line, or a comment after them.
	blockLine = regexp.MustCompile(`^\s*(?:\$(?:` + blockWords + `|\{(?:` + blockWords + `)\})\s*)+(?:#.*)?$`)
)

// Template is the user's HAProxy configuration with haproxy-zk's placeholders.
type Template struct {
	lines    []templateLine
	sections []*section
	// names are the names of the template's own acl, backend, frontend and listen lines.
	names map[string]string
	// defaults is the defaults section that the backends inherit from, since they are rendered
	// at $backend; nil if there is none before it.
	defaults *section
	// followed is true if sections after $backend inherit from the same defaults.
	followed bool
	// autoMaxConn is true for the built-in templates, in which $maxconn is known.
	autoMaxConn bool
}

type templateLine struct {
	text    string
	section *section // nil before the first section
	words   []string // without quotes and comment; empty on blank and comment lines
	blocks  []string // the placeholders alone on the line
}

// keyword returns the first word; empty on blank and comment lines.
func (l templateLine) keyword() string {
	if len(l.words) == 0 {
		return ""
	}
	return l.words[0]
}

// in reports whether the line is in a section opened by keyword.
func (l templateLine) in(keyword string) bool {
	return l.section != nil && l.section.keyword == keyword
}

// byteOrderMark is what some editors write at the beginning of a UTF-8 file. HAProxy takes
// it for part of the first word.
const byteOrderMark = "\uFEFF"

// ParseTemplate parses the text of a template. The error joins all problems, each with its
// line.
//
// Known placeholders are $nbproc $pid_file $listener_port $admin_port anywhere in a line,
// and $sockets $acl $use_backend $default_backend $backend alone on a line, or several of
// these. `${name}` is the same as `$name`, `$$` is `$`, and any other `$word` is left as
// it is, as are comment lines. $acl, $use_backend and $default_backend may occur in several
// sections, once in each.
func ParseTemplate(text string) (*Template, error) {
	t := &Template{names: make(map[string]string)}
	var problems []error
	report := func(line int, format string, args ...any) {
		problems = append(problems, fmt.Errorf("line %d: %w", line, fmt.Errorf(format, args...)))
	}
	if strings.HasPrefix(text, byteOrderMark) {
		report(1, "the file begins with a byte order mark, which HAProxy takes for a part of the first word: save it as UTF-8 without one")
		text = strings.TrimPrefix(text, byteOrderMark)
	}
	var current *section
	text = strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, raw := range strings.Split(text, "\n") {
		line := templateLine{text: raw, words: splitWords(raw)}
		if keyword := line.keyword(); keyword != "" {
			if OpensSection(keyword) {
				current = newSection(i+1, line.words)
				t.sections = append(t.sections, current)
			}
			line.section = current
			if blockLine.MatchString(raw) {
				line.blocks = blockNames(raw)
				for _, name := range line.blocks {
					if first := t.firstUse(current, name); first > 0 {
						report(i+1, "$%s is already on line %d: remove one of them", name, first)
					}
					if current != nil {
						current.blocks[name] = append(current.blocks[name], i+1)
					}
				}
				if current == nil {
					report(i+1, "$%s is before the first section: move it into one", line.blocks[0])
				}
			} else {
				if names := blockNames(stripComment(raw)); len(names) > 0 {
					report(i+1, "$%s becomes whole lines: put it on a line of its own", names[0])
				}
				t.add(line, current, i+1)
			}
			if keyword == "master-worker" {
				report(i+1, "master-worker hides the workers from haproxy-zk, which supervises them itself: remove the line")
			}
		}
		t.lines = append(t.lines, line)
	}
	inherit(t.sections)
	t.findDefaults()
	for _, need := range []struct{ name, why string }{
		{"sockets", "the stats sockets, in the section `global`: instances are switched through them"},
		{"backend", "the backends, after the frontends"},
	} {
		if len(t.blockLines(need.name)) == 0 {
			problems = append(problems, fmt.Errorf("$%s is missing: put it on a line of its own where it becomes %s", need.name, need.why))
		}
	}
	return t, errors.Join(problems...)
}

// firstUse returns the line of a placeholder that must not be repeated, or 0: those for
// rules may occur once per section, those for sections and sockets once.
func (t *Template) firstUse(in *section, name string) int {
	lines := t.blockLines(name)
	if name != "sockets" && name != "backend" {
		if in == nil {
			return 0
		}
		lines = in.blocks[name]
	}
	if len(lines) == 0 {
		return 0
	}
	return lines[0]
}

// blockLines returns the lines of a placeholder.
func (t *Template) blockLines(name string) []int {
	var lines []int
	for _, s := range t.sections {
		lines = append(lines, s.blocks[name]...)
	}
	return lines
}

// add adds an ordinary line.
func (t *Template) add(l templateLine, in *section, number int) {
	if len(l.words) > 1 {
		switch l.words[0] {
		case "acl", "backend", "frontend", "listen":
			if _, seen := t.names[l.words[1]]; !seen {
				t.names[l.words[1]] = l.words[0]
			}
		}
	}
	if in != nil && in.line != number {
		in.settings = append(in.settings, Setting{number, l.words})
	}
}

// findDefaults finds the defaults that the backends inherit, and whether later sections
// inherit them too.
func (t *Template) findDefaults() {
	lines := t.blockLines("backend")
	if len(lines) == 0 {
		return
	}
	for _, s := range t.sections {
		switch {
		case s.line < lines[0]:
			if s.keyword == "defaults" {
				t.defaults = s
			}
		case s.keyword == "defaults":
			return
		default:
			t.followed = t.followed || s.proxy() && s.from == ""
		}
	}
}

// blockNames returns the placeholders in a line that expand to whole lines.
func blockNames(line string) []string {
	var names []string
	for _, m := range placeholder.FindAllStringSubmatch(stripComment(line), -1) {
		switch name := m[1] + m[2]; name {
		case "sockets", "acl", "use_backend", "default_backend", "backend":
			names = append(names, name)
		}
	}
	return names
}

// stripComment removes a comment that follows a blank.
func stripComment(line string) string {
	for i, r := range line {
		if r == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}

// Taken returns what the template, or haproxy-zk in it, uses name for: acl, backend,
// frontend, listen, table or defaults, or "".
func (t *Template) Taken(name string) string {
	switch {
	case name == clientsTable:
		return "table"
	case name == AnyGroup, strings.HasPrefix(name, AnyGroup+"."):
		return "defaults"
	}
	return t.names[name]
}

// usesACL reports whether a condition of the template uses an ACL.
func (t *Template) usesACL(acl string) bool {
	return slices.ContainsFunc(t.sections, func(s *section) bool {
		return slices.ContainsFunc(s.settings, func(l Setting) bool {
			begins := slices.IndexFunc(l.Words, func(word string) bool { return word == "if" || word == "unless" })
			return begins >= 0 && slices.ContainsFunc(l.Words[begins:], func(word string) bool { return strings.TrimPrefix(word, "!") == acl })
		})
	})
}

// expand replaces the placeholders of one line; unknown ones stay.
func expand(line string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(line, func(match string) string {
		if match == "$$" {
			return "$"
		}
		if value, known := values[strings.Trim(match[1:], "{}")]; known {
			return value
		}
		return match
	})
}
