package hactl

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	placeholder = regexp.MustCompile(`\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))`)
	blockLine   = regexp.MustCompile(`^\s*\$\{?(sockets|acl|use_backend|default_backend|backend)\}?\s*$`)
)

// Template is the user's HAProxy configuration with our placeholders in it.
type Template struct {
	lines []templateLine
	// names are what the template itself calls acl, backend, frontend or listen.
	names map[string]string
	// idleClose is true when the template says idle-close-on-response itself.
	idleClose bool
	// strictLimits is true when it says strict-limits, or no strict-limits, itself.
	strictLimits bool
	// statsMaxconn is true when it says stats maxconn itself.
	statsMaxconn bool
}

type templateLine struct {
	text    string
	section string // the keyword that opened its section: global, frontend, …
	keyword string // the first word; empty on blank and comment lines
	block   string // the placeholder that stands alone on the line
	tcp     bool   // its section has `mode tcp`, its own or by the defaults
}

// ParseTemplate reads the text of a template. The error joins everything that
// is wrong with it, each with its line.
//
// Known placeholders are $nbproc $pid_file $listener_port $admin_port anywhere
// in a line, and $sockets $acl $use_backend $default_backend $backend alone on
// one. `${name}` is the same as `$name`, `$$` is `$`, and any other `$word`
// stays as it is. Comment lines are left alone.
func ParseTemplate(text string) (*Template, error) {
	t := &Template{names: make(map[string]string)}
	var problems []error
	complain := func(line int, format string, args ...any) {
		problems = append(problems, fmt.Errorf("line %d: %w", line, fmt.Errorf(format, args...)))
	}
	section := ""
	blocks := make(map[string]int)
	text = strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, raw := range strings.Split(text, "\n") {
		line := templateLine{text: raw}
		words := strings.Fields(raw)
		if len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			line.keyword = words[0]
			switch words[0] {
			case "global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "userlist", "mailers", "program", "cache":
				section = words[0]
			}
			line.section = section
			if m := blockLine.FindStringSubmatch(raw); m != nil {
				line.block = m[1]
				if first, twice := blocks[m[1]]; twice {
					complain(i+1, "$%s stands on line %d already: it can stand once", m[1], first)
				}
				blocks[m[1]] = i + 1
			} else if name := inlineBlock(raw); name != "" {
				complain(i+1, "$%s becomes whole lines: put it on a line of its own", name)
			}
			t.note(words)
			if words[0] == "master-worker" {
				complain(i+1, "master-worker hides the workers from haproxy-zk, which supervises them itself: remove the line")
			}
		}
		t.lines = append(t.lines, line)
	}
	t.markTCP()
	for _, need := range []struct{ name, why string }{
		{"sockets", "the stats sockets, in the section `global`: instances are switched through them"},
		{"backend", "the backends, behind the frontends"},
	} {
		if blocks[need.name] == 0 {
			problems = append(problems, fmt.Errorf("$%s is missing: put it on a line of its own where it becomes %s", need.name, need.why))
		}
	}
	return t, errors.Join(problems...)
}

func (t *Template) note(words []string) {
	t.strictLimits = t.strictLimits || words[0] == "strict-limits" || len(words) > 1 && words[1] == "strict-limits"
	if len(words) > 1 {
		switch words[0] {
		case "acl", "backend", "frontend", "listen":
			if _, seen := t.names[words[1]]; !seen {
				t.names[words[1]] = words[0]
			}
		case "stats":
			t.statsMaxconn = t.statsMaxconn || words[1] == "maxconn"
		case "option":
			t.idleClose = t.idleClose || words[1] == "idle-close-on-response"
		}
	}
}

// markTCP finds which lines belong to a section in mode tcp, which may be said
// behind them.
func (t *Template) markTCP() {
	byDefault := false
	for start := 0; start < len(t.lines); {
		end := start + 1
		for end < len(t.lines) && !t.lines[end].opens() {
			end++
		}
		tcp := byDefault && t.lines[start].section != "defaults"
		for _, l := range t.lines[start:end] {
			if words := strings.Fields(l.text); l.keyword == "mode" && len(words) > 1 {
				tcp = words[1] == "tcp"
			}
		}
		if t.lines[start].section == "defaults" {
			byDefault = tcp
		}
		for i := start; i < end; i++ {
			t.lines[i].tcp = tcp
		}
		start = end
	}
}

// opens tells whether the line opens a section.
func (l templateLine) opens() bool { return l.keyword != "" && l.keyword == l.section }

func inlineBlock(line string) string {
	for _, m := range placeholder.FindAllStringSubmatch(line, -1) {
		switch name := m[1] + m[2]; name {
		case "sockets", "acl", "use_backend", "default_backend", "backend":
			return name
		}
	}
	return ""
}

// Taken tells what the template itself uses name for: acl, backend, frontend or
// listen; empty when it does not.
func (t *Template) Taken(name string) string { return t.names[name] }

// hasKeyword tells whether the section global has a line that begins with keyword.
func (t *Template) hasKeyword(keyword string) bool {
	for _, l := range t.lines {
		if l.section == "global" && l.keyword == keyword {
			return true
		}
	}
	return false
}

// expand replaces the placeholders of one line by values; unknown ones stay.
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
