package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The severities of a finding.
const (
	isError   = "error"   // run would fail, or serve wrongly
	isWarning = "warning" // it would work, and go wrong some day
	isNote    = "note"    // good to know; never makes check fail
)

// finding is one thing that check has found.
type finding struct {
	// Proxy is the proxy's name; empty for what concerns all of them.
	Proxy    string `json:"proxy"`
	Severity string `json:"severity"`
	// Where is a file, or the path of a key as in ngboss.listener_port.
	Where string `json:"where"`
	// Line is where in the file, counted from 1; 0 is none.
	Line int    `json:"line"`
	Text string `json:"text"`
	// Remedy is empty where the text says it already.
	Remedy string `json:"remedy"`
}

func (f finding) String() string {
	where := f.Where
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d", where, f.Line)
	}
	text := fmt.Sprintf("%s: %s: %s", f.Severity, where, f.Text)
	if f.Remedy != "" {
		text += "\n    " + f.Remedy
	}
	return text
}

// findings are what is found, and what is told of the proxies without errors.
type findings struct {
	list  []finding
	good  []summary
	wrong map[string]bool // proxies with errors
}

// summary tells in one line what a proxy is.
type summary struct{ proxy, text string }

// add adds what is not there yet: proxies share templates, and one line in one
// template is one finding.
func (fs *findings) add(more ...finding) {
	for _, f := range more {
		if f.Severity == isError {
			if fs.wrong == nil {
				fs.wrong = make(map[string]bool)
			}
			fs.wrong[f.Proxy] = true
		}
		same := func(g finding) bool { g.Proxy = f.Proxy; return g == f }
		if !slices.ContainsFunc(fs.list, same) {
			fs.list = append(fs.list, f)
		}
	}
}

func (fs *findings) count(severity string) int {
	n := 0
	for _, f := range fs.list {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

// verdict is the command's error, nil when all is well.
func (fs *findings) verdict(strict bool) error {
	wrong, warnings := fs.count(isError), fs.count(isWarning)
	switch {
	case wrong > 0:
		return usageError{fmt.Errorf("%s, %s", plural(wrong, "error"), plural(warnings, "warning"))}
	case strict && warnings > 0:
		return usageError{fmt.Errorf("%s, which --strict makes errors", plural(warnings, "warning"))}
	}
	return nil
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func (fs *findings) writeText(w io.Writer) error {
	var out strings.Builder
	for _, f := range fs.list {
		fmt.Fprintln(&out, f)
	}
	for _, good := range fs.good {
		if !fs.wrong[good.proxy] {
			fmt.Fprintf(&out, "%s: good: %s\n", good.proxy, good.text)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (fs *findings) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Findings []finding `json:"findings"`
		Errors   int       `json:"errors"`
		Warnings int       `json:"warnings"`
	}{append([]finding{}, fs.list...), fs.count(isError), fs.count(isWarning)})
}

// sentences takes an error that joins others apart, each with what was written
// before it.
func sentences(err error) []string {
	if joined, isJoin := any(err).(interface{ Unwrap() []error }); isJoin {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, sentences(e)...)
		}
		return all
	}
	wrapped, isWrap := any(err).(interface{ Unwrap() error })
	if !isWrap {
		return []string{err.Error()}
	}
	inner := wrapped.Unwrap()
	prefix, ends := "", false
	if inner != nil {
		prefix, ends = strings.CutSuffix(err.Error(), inner.Error())
	}
	if !ends {
		return []string{err.Error()}
	}
	all := sentences(inner)
	for i := range all {
		all[i] = prefix + all[i]
	}
	return all
}
