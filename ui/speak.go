package ui

import (
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// functions are those of the templates.
func (s *speech) functions() template.FuncMap {
	return template.FuncMap{
		"t":      s.say,
		"phrase": s.phrase,
		"reason": s.reason,
		"cut":    func() template.HTML { return cut },
		"time":   s.moment,
		"clock":  func(at time.Time) string { return at.UTC().Format("01-02 15:04:05") },
		"iso":    func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"took":   took,
		"coarse": func(d time.Duration) string { return took(roughly(d)) },
		"count":  counted,
		"path":   url.PathEscape,
	}
}

// say returns the words of a key, with what goes in them.
func (s *speech) say(key string, args ...any) string {
	text, known := s.words[key]
	if !known {
		return key // a test has them all said
	}
	if len(args) == 0 {
		return text
	}
	if singular, has := s.words[key+"_1"]; has && fmt.Sprint(args[0]) == "1" {
		text = singular
	}
	return fmt.Sprintf(text, args...)
}

// numbers matches the numbers in a phrase, whose words have a # instead.
var numbers = regexp.MustCompile(`\d+(?:-\d+)*`)

// phrase returns the words of a phrase of haproxy-zk, or of several that commas separate,
// or the text itself if it is somebody else's.
func (s *speech) phrase(of any) string {
	text := fmt.Sprint(of)
	if words, known := s.translate(text); known {
		return words
	}
	parts := strings.Split(text, ", ")
	for i, part := range parts {
		words, known := s.translate(part)
		if !known {
			return text
		}
		parts[i] = words
	}
	return strings.Join(parts, s.words["comma"])
}

// translate returns the words of one phrase, if there are any.
func (s *speech) translate(text string) (words string, known bool) {
	if words, known = s.words["= "+text]; known {
		return words, true
	}
	found := numbers.FindAllString(text, -1)
	words, known = s.words["= "+numbers.ReplaceAllLiteralString(text, "#")]
	if !known || len(found) == 0 || strings.Count(words, "#") != len(found) {
		return "", false
	}
	for _, number := range found {
		words = strings.Replace(words, "#", number, 1)
	}
	return words, true
}

// reason returns a reason in words. One that begins with HAProxy's word for the result of
// a check keeps that word, which HAProxy's manual explains.
func (s *speech) reason(of any) string {
	text := fmt.Sprint(of)
	code, rest, more := strings.Cut(text, " ")
	meaning, known := s.words["check_"+code]
	switch {
	case !known:
		return s.phrase(text)
	case more:
		return code + " (" + meaning + ") " + rest
	}
	return code + " (" + meaning + ")"
}

// moment returns a time with the place of its age.
func (s *speech) moment(at time.Time) template.HTML {
	utc := at.UTC()
	return template.HTML(`<time datetime="` + utc.Format(time.RFC3339) + `" title="` + utc.Format("2006-01-02 15:04:05") + ` UTC">` + age + `</time>`) //nolint:gosec // digits
}

// age returns how long ago something was; the script does the same.
func (s *speech) age(d time.Duration) string {
	seconds := max(0, int(d.Seconds()))
	for _, unit := range []struct {
		key     string
		seconds int
	}{{"day", 86400}, {"hour", 3600}, {"minute", 60}} {
		if seconds >= unit.seconds {
			return strconv.Itoa(seconds/unit.seconds) + "\u00a0" + s.words[unit.key]
		}
	}
	return strconv.Itoa(seconds) + "\u00a0" + s.words["second"]
}

// counted writes a number with its thousands apart.
func counted(n any) string {
	switch n := n.(type) {
	case int:
		return count(uint64(max(0, n))) //nolint:gosec // it is not negative
	case uint64:
		return count(n)
	}
	return strings.TrimSpace(fmt.Sprint(n))
}
