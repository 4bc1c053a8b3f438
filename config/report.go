package config

import (
	"cmp"
	"fmt"
	"slices"
)

// report collects problems, in any order, while a file is read.
type report struct {
	file string
	// lineless is true for input without lines.
	lineless bool
	newlines []int
	errors   []finding
	warnings []finding
}

// finding is a problem and its offset in the file, by which it is sorted: a whole
// configuration may be on one line.
type finding struct {
	at      int
	problem Problem
}

func newReport(file string, data []byte) *report {
	r := &report{file: file}
	for at, b := range data {
		if b == '\n' {
			r.newlines = append(r.newlines, at)
		}
	}
	return r
}

// line returns the line of an offset, counted from 1; 0 if there are none.
func (r *report) line(at int) int {
	if r.lineless {
		return 0
	}
	before, _ := slices.BinarySearch(r.newlines, at)
	return before + 1
}

func (r *report) errorf(at int, key, format string, args ...any) {
	r.errors = append(r.errors, r.finding(at, key, fmt.Sprintf(format, args...)))
}

func (r *report) warnf(at int, key, format string, args ...any) {
	r.warnings = append(r.warnings, r.finding(at, key, fmt.Sprintf(format, args...)))
}

func (r *report) finding(at int, key, text string) finding {
	return finding{at: at, problem: Problem{File: r.file, Line: r.line(at), Key: key, Text: text}}
}

// sorted returns each problem once: in the environment many groups share a key.
func sorted(findings []finding) Problems {
	slices.SortStableFunc(findings, func(a, b finding) int { return cmp.Compare(a.at, b.at) })
	var problems Problems
	seen := make(map[finding]bool)
	for _, f := range findings {
		if !seen[f] {
			problems = append(problems, f.problem)
		}
		seen[f] = true
	}
	return problems
}
