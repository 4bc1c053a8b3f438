package haproxy

import "strings"

// User returns the user to which HAProxy's workers switch: the name of global's `user` or
// the number of its `uid`, whichever comes first, as in HAProxy. Both are empty if the
// workers keep their user.
func (t *Template) User() (name, uid string) {
	for _, l := range t.Global("") {
		if len(l.Words) < 2 {
			continue
		}
		switch l.Words[0] {
		case "user":
			return l.Words[1], ""
		case "uid":
			return "", l.Words[1]
		}
	}
	return "", ""
}

// Mentions reports whether a line other than a comment contains text.
func (t *Template) Mentions(text string) bool {
	for _, l := range t.lines {
		if len(l.words) > 0 && strings.Contains(l.text, text) {
			return true
		}
	}
	return false
}
