package config

import (
	"strconv"
	"strings"
)

// Problem is one error or warning about a configuration.
type Problem struct {
	// File is the name passed to Load, or "environment".
	File string
	// Line is the line in the file, counted from 1; 0 for the environment.
	Line int
	// Key is the path of the key, as in ngboss.groups.web-a.max_server or
	// ngboss.socket_files[1], or the name of a variable. It is empty if the file is not
	// JSON.
	Key string
	// Text says what is wrong and what to do.
	Text string
}

// String returns `file:line: key: text` on one line, without empty parts.
func (p Problem) String() string {
	place := p.File
	if p.Line > 0 {
		place += ":" + strconv.Itoa(p.Line)
	}
	var parts []string
	for _, part := range []string{place, p.Key, p.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Problems is an error with everything that is wrong with a file or the environment.
type Problems []Problem

// Error returns one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}
