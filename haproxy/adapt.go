package haproxy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// adapt converts an ordinary line for this version of HAProxy. Removed are:
//
//   - `quiet`, which hides why HAProxy does not start, and `pidfile`, which is set on the
//     command line and would only cause a warning;
//   - from HAProxy 2.5 on, which has threads instead of processes, everything that
//     chooses among processes: one process serves every proxy and every bind.
//
// There, `nbproc` becomes `nbthread`, and a `cpu-map` of processes becomes one of threads.
func (t *Template) adapt(l templateLine, text string, f Frame) (adapted string, stays bool) {
	if l.in("global") && (l.keyword() == "quiet" || l.keyword() == "pidfile") {
		return "", false
	}
	if f.Version.Nbproc() || l.section == nil {
		return text, true
	}
	switch words := l.words; {
	case words[0] == "bind-process", begins(words, "stats bind-process"):
		return "", false
	case words[0] == "bind", begins(words, "stats socket"):
		return processWord.ReplaceAllString(text, ""), true
	case l.in("global") && words[0] == "nbproc":
		n := t.threads(f)
		return indent(text) + "nbthread " + strconv.Itoa(n), n > 1
	case l.in("global") && words[0] == "cpu-map" && len(t.Global("nbproc")) > 0:
		return cpuMapSet.ReplaceAllString(text, "${1}1/$2"), true
	}
	return text, true
}

var (
	processWord = regexp.MustCompile(`\s+process\s+\S+`)
	// cpuMapSet is a set of processes, which has no slash.
	cpuMapSet = regexp.MustCompile(`^(\s*cpu-map\s+(?:auto:)?)([A-Za-z0-9-]+\s)`)
)

// threads returns the number of threads that replace the template's processes.
func (t *Template) threads(f Frame) int {
	for _, s := range slices.Backward(t.Global("nbproc")) {
		if n := processes(s); n > 0 {
			return max(n, len(f.Sockets))
		}
	}
	return len(f.Sockets)
}

func indent(text string) string { return text[:len(text)-len(strings.TrimLeft(text, " \t"))] }
