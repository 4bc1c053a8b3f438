package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
)

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64 // seconds
}

// test is a test, or a package if the name is empty. run is the number of the `go test`
// among those at the same time, which may share a package.
type test struct {
	run       int
	pkg, name string
}

// whole returns the package of a test.
func (t test) whole() test { return test{run: t.run, pkg: t.pkg} }

// mostSlowest is how many of the slowest tests are printed.
const mostSlowest = 20

// The first line of what a test logs, or fails with.
var logged = regexp.MustCompile(`^ *\w+\.go:\d+: (.*)`)

// report turns events into lines. It is used by one goroutine.
type report struct {
	out     io.Writer
	begun   time.Time
	quiet   bool // nothing was printed since the last progress
	said    map[test][]string
	running map[test]bool
	passed  int
	failed  []string            // name and reason
	mute    []test              // failed, without output and maybe for a subtest
	blamed  map[test]bool       // packages with a failed test that was printed
	parents map[test]bool       // tests that have subtests
	took    map[test]float64    // seconds of each test without subtests
	leftOut map[string][]string // need → names
	stages  []string            // what each stage took
}

func newReport(out io.Writer) *report {
	return &report{out: out, begun: time.Now(), said: make(map[test][]string), running: make(map[test]bool), leftOut: make(map[string][]string), blamed: make(map[test]bool), parents: make(map[test]bool), took: make(map[test]float64)}
}

func (r *report) printf(format string, args ...any) {
	r.quiet = false
	fmt.Fprintf(r.out, format, args...)
}

// take reads one line of the output of a `go test`. A line that is not an event is printed.
func (r *report) take(run int, line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		r.printf("%s", line)
		return
	}
	of := test{run, e.Package, e.Test}
	switch e.Action {
	case "build-output":
		r.printf("%s", e.Output)
	case "run":
		r.running[of] = true
		if name := path.Dir(e.Test); name != "." {
			r.parents[test{run, e.Package, name}] = true
		}
	case "output":
		r.hear(of, e.Output)
	case "pass":
		if e.Test != "" {
			r.passed++
			r.took[of] = e.Elapsed
		}
		r.forget(of)
	case "skip":
		r.skip(of)
		r.forget(of)
	case "fail":
		r.fail(of, e.Elapsed)
		r.forget(of)
	}
}

// hear keeps the output of a test until it is known whether the test fails.
func (r *report) hear(of test, line string) {
	switch {
	case strings.HasPrefix(line, "=== "), strings.HasPrefix(strings.TrimLeft(line, " "), "--- "):
	case of.name == "" && (line == "PASS\n" || line == "FAIL\n"):
	case of.name == "" && (strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t")):
		r.printf("%s", line)
	default:
		r.said[of] = append(r.said[of], line)
	}
}

// fail prints the output of a failed test. One without output usually has a subtest that
// failed.
func (r *report) fail(of test, seconds float64) {
	said := r.said[of]
	switch {
	case of.name == "":
		r.failPackage(of)
		return
	case len(said) == 0:
		r.mute = append(r.mute, of)
		return
	}
	r.blamed[of.whole()] = true
	reason := strings.TrimSpace(said[0])
	for _, line := range said {
		if found := logged.FindStringSubmatch(line); found != nil {
			reason = found[1]
			break
		}
	}
	name := fmt.Sprintf("%s %s", path.Base(of.pkg), of.name)
	r.failed = append(r.failed, name+": "+reason)
	r.printf("--- FAIL: %s (%.2fs)\n%s", name, seconds, strings.Join(said, ""))
}

// failPackage prints the output of a package. If none of its tests is known to have
// failed, it prints all that may tell why: the tests that failed without output, and the
// output of those whose end was not reported.
func (r *report) failPackage(of test) {
	if !r.blamed[of] {
		name := path.Base(of.pkg)
		r.failed = append(r.failed, name+": no test of it was reported to have failed")
		for _, t := range r.mute {
			if t.whole() == of {
				r.printf("--- FAIL: %s %s, without output\n", name, t.name)
			}
		}
		for t := range r.running {
			if t.whole() == of && t.name != "" {
				r.printf("--- no end: %s %s\n%s", name, t.name, strings.Join(r.said[t], ""))
			}
		}
	}
	r.printf("%s", strings.Join(r.said[of], "")) // the last line is that of the package
}

func (r *report) skip(of test) {
	for _, line := range r.said[of] {
		if _, why, found := strings.Cut(line, needs.LeftOut); found && of.name != "" {
			need, _, _ := strings.Cut(why, ": ")
			r.leftOut[need] = append(r.leftOut[need], of.name)
		}
	}
}

// forget removes what is kept of a test that has ended. With a package end its tests: go
// test does not report the end of one whose last line was printed together with another.
func (r *report) forget(of test) {
	delete(r.said, of)
	maps.DeleteFunc(r.running, func(t test, _ bool) bool { return t == of || t.whole() == of })
}

// progress prints how far the tests are, unless something was printed since the last
// call.
func (r *report) progress() {
	if r.quiet {
		doing := "compiling"
		if now := r.now(); len(now) > 0 || r.passed > 0 {
			doing = fmt.Sprintf("%d passed, %d failed, now %s", r.passed, len(r.failed), strings.Join(now[:min(len(now), 4)], ", "))
		}
		fmt.Fprintf(r.out, "testrun: %s: %s\n", time.Since(r.begun).Round(time.Second), doing)
	}
	r.quiet = true
}

// now returns the running tests that are not waiting for their subtests.
func (r *report) now() (names []string) {
	waiting := make(map[test]bool)
	for of := range r.running {
		for name := of.name; strings.Contains(name, "/"); {
			name = path.Dir(name)
			waiting[test{of.run, of.pkg, name}] = true
		}
	}
	for of := range r.running {
		if !waiting[of] {
			names = append(names, fmt.Sprintf("%s %s", path.Base(of.pkg), of.name))
		}
	}
	slices.Sort(names)
	return names
}

// slowest returns up to n tests that took longest, and a second at least.
func (r *report) slowest(n int) []string {
	maps.DeleteFunc(r.took, func(of test, seconds float64) bool { return r.parents[of] || seconds < 1 })
	tests := slices.SortedFunc(maps.Keys(r.took), func(a, b test) int {
		return cmp.Or(cmp.Compare(r.took[b], r.took[a]), strings.Compare(a.name, b.name))
	})
	var names []string
	for _, of := range tests[:min(n, len(tests))] {
		names = append(names, fmt.Sprintf("%s %s (%.0fs)", path.Base(of.pkg), of.name, r.took[of]))
	}
	return names
}

// used notes the duration of a stage, and how busy its processor time kept the processors.
func (r *report) used(stage string, took, cpu time.Duration, processors int) {
	share := 100 * cpu.Seconds() / (took.Seconds() * float64(processors))
	r.stages = append(r.stages, fmt.Sprintf("%s %.0fs (%.0f%% busy)", stage, took.Seconds(), share))
}

// end prints the summary.
func (r *report) end(missing map[string]string) {
	if len(r.stages) > 0 {
		r.printf("stages: %s\n", strings.Join(r.stages, ", "))
	}
	if slowest := r.slowest(mostSlowest); len(slowest) > 0 {
		r.printf("slowest: %s\n", strings.Join(slowest, ", "))
	}
	for _, f := range r.failed {
		r.printf("failed: %s\n", f)
	}
	for _, need := range slices.Sorted(maps.Keys(r.leftOut)) {
		names := r.leftOut[need]
		slices.Sort(names)
		r.printf("left out for want of %s, %d in all: %s\n", need, len(names), strings.Join(names, ", "))
	}
	for _, version := range slices.Sorted(maps.Keys(missing)) {
		r.printf("not tested: HAProxy %s: %s\n", version, strings.TrimSpace(missing[version]))
	}
}
