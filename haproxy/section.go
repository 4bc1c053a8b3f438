package haproxy

import (
	"slices"
	"strings"
)

// section is one section of a template with the defaults that it inherits.
type section struct {
	line    int    // of the keyword that opens it, counted from 1
	keyword string // global, defaults, frontend, …
	name    string // empty if it has none
	from    string // name of its defaults; empty for the last ones before it
	// settings are its lines, except the opening one, comments and placeholders.
	settings []Setting
	// blocks are the lines of placeholders that stand alone, by placeholder.
	blocks map[string][]int
	// defaults is nil if it inherits nothing.
	defaults *section
}

// Setting is a line of a template, split into words without quotes and comment.
type Setting struct {
	Line  int
	Words []string
}

// sectionKeywords returns the keywords that open a section, alone or followed by a name,
// from HAProxy 2.0 to 3.4.
func sectionKeywords() []string {
	return []string{
		"global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "userlist", "mailers", "program", "cache",
		"ring", "http-errors", "fcgi-app", "log-forward", "log-profile", "crt-store", "acme", "traces", "healthcheck",
	}
}

// OpensSection reports whether a keyword opens a section of HAProxy's configuration.
func OpensSection(keyword string) bool { return slices.Contains(sectionKeywords(), keyword) }

func newSection(line int, words []string) *section {
	s := &section{line: line, keyword: words[0], blocks: make(map[string][]int)}
	if len(words) > 1 && words[1] != "from" {
		s.name = words[1]
	}
	if from := slices.Index(words, "from"); from > 0 && from+1 < len(words) {
		s.from = words[from+1]
	}
	return s
}

// proxy reports whether the section inherits the last defaults before it unless it names
// others.
func (s *section) proxy() bool {
	return s.keyword == "frontend" || s.keyword == "backend" || s.keyword == "listen"
}

// inherit finds the defaults of every section. A defaults section inherits only from one
// that it names.
func inherit(sections []*section) {
	var last *section
	named := make(map[string]*section)
	for _, s := range sections {
		switch {
		case s.from != "":
			s.defaults = named[s.from]
		case s.proxy():
			s.defaults = last
		}
		if s.keyword == "defaults" {
			last = s
			if s.name != "" {
				named[s.name] = s
			}
		}
	}
}

// own reports whether the section itself has a line that begins with words.
func (s *section) own(words string) bool {
	return slices.ContainsFunc(s.settings, func(l Setting) bool { return begins(l.Words, words) })
}

// has reports whether the section or its inherited defaults have a line that begins with
// words.
func (s *section) has(words string) bool {
	return s != nil && (s.own(words) || s.defaults.has(words))
}

// last returns the line that applies among those that begin with words: the last one of
// the section, else of its inherited defaults.
func (s *section) last(words string) (Setting, bool) {
	for ; s != nil; s = s.defaults {
		for _, l := range slices.Backward(s.settings) {
			if begins(l.Words, words) {
				return l, true
			}
		}
	}
	return Setting{}, false
}

// all returns the lines of the inherited defaults and of the section, in HAProxy's order.
func (s *section) all() []Setting {
	if s == nil {
		return nil
	}
	return append(slices.Clone(s.defaults.all()), s.settings...)
}

// mode returns the mode of the section or its defaults, else HAProxy's default, tcp.
func (s *section) mode() string {
	if l, found := s.last("mode"); found && len(l.Words) > 1 {
		return l.Words[1]
	}
	return "tcp"
}

func begins(words []string, with string) bool {
	want := strings.Fields(with)
	return len(words) >= len(want) && slices.Equal(words[:len(want)], want)
}

// splitWords splits a line of HAProxy's configuration like HAProxy: at blanks that are
// neither quoted nor escaped, up to a comment.
func splitWords(line string) []string {
	var words []string
	var word strings.Builder
	inWord, quote, escaped := false, rune(0), false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(unescaped(r))
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t' || r == '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case r == '#':
			if inWord {
				words = append(words, word.String())
			}
			return words
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
}

// unescaped returns HAProxy's meaning of a backslash and r.
func unescaped(r rune) rune {
	switch r {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return r
}
