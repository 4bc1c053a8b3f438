package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

// The severities of a finding.
const (
	isError   = "error"   // run would fail, or serve wrongly
	isWarning = "warning" // it works now, but may fail later
	isNote    = "note"    // for information; never makes check fail
)

// finding is a single result of check.
type finding struct {
	// Proxy is the name of the proxy; empty if the finding concerns all of them.
	Proxy    string `json:"proxy"`
	Severity string `json:"severity"`
	// Where is a file, or the path of a key such as ngboss.listener_port.
	Where string `json:"where"`
	// Line is the line in the file, counted from 1; 0 if there is none.
	Line int    `json:"line"`
	Text string `json:"text"`
	// Remedy is empty if the text implies it.
	Remedy string `json:"remedy"`
}

// sentence returns the finding as one line, without its severity.
func (f finding) sentence() string {
	text := fmt.Sprintf("%s: %s", f.place(), f.Text)
	if f.Remedy != "" {
		text += "; " + f.Remedy
	}
	return text
}

// asFound returns an error with the sentence of each finding that is an error; nil if
// there is none.
func asFound(found []finding) error {
	var all []error
	for _, f := range found {
		if f.Severity == isError {
			all = append(all, errors.New(f.sentence()))
		}
	}
	return errors.Join(all...)
}

func (f finding) place() string {
	if f.Line > 0 {
		return fmt.Sprintf("%s:%d", f.Where, f.Line)
	}
	return f.Where
}

func (f finding) String() string {
	text := fmt.Sprintf("%s: %s: %s", f.Severity, f.place(), f.Text)
	if f.Remedy != "" {
		text += "\n    " + f.Remedy
	}
	return text
}

// Findings are all findings, and a summary of each proxy without errors.
type Findings struct {
	list  []finding
	good  []summary
	wrong map[string]bool // proxies with errors
}

// summary describes a proxy in one line, and its HAProxy in several.
type summary struct{ proxy, haproxy, text string }

// add adds findings without duplicates: proxies share templates, and a line of a
// template is one finding.
func (fs *Findings) add(more ...finding) {
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

func (fs *Findings) count(severity string) int {
	n := 0
	for _, f := range fs.list {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

// Verdict returns the error for the exit code: an [exitcode.UsageError] if there are
// errors, or warnings and strict is true; otherwise nil.
func (fs *Findings) Verdict(strict bool) error {
	wrong, warnings := fs.count(isError), fs.count(isWarning)
	switch {
	case wrong > 0:
		return exitcode.NewUsageError(fmt.Errorf("%s, %s", plural(wrong, "error"), plural(warnings, "warning")))
	case strict && warnings > 0:
		return exitcode.NewUsageError(fmt.Errorf("%s, which --strict makes errors", plural(warnings, "warning")))
	}
	return nil
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// WriteText writes one line per finding, followed by its remedy, and one line per proxy
// without errors, each HAProxy once before the first of its proxies.
func (fs *Findings) WriteText(w io.Writer) error {
	var out strings.Builder
	for _, f := range fs.list {
		fmt.Fprintln(&out, f)
	}
	shown := make(map[string]bool)
	for _, good := range fs.good {
		if !fs.wrong[good.proxy] {
			if !shown[good.haproxy] {
				fmt.Fprintln(&out, good.haproxy)
				shown[good.haproxy] = true
			}
			fmt.Fprintf(&out, "%s: good: %s\n", good.proxy, good.text)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// WriteJSON writes an object with the findings and the numbers of errors and warnings.
func (fs *Findings) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Findings []finding `json:"findings"`
		Errors   int       `json:"errors"`
		Warnings int       `json:"warnings"`
	}{append([]finding{}, fs.list...), fs.count(isError), fs.count(isWarning)})
}
