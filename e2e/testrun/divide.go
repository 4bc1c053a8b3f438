package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// parts is the number of processes among which the tests of a package are divided. More of
// them would link the package's tests more often.
const parts = 2

var declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)

// takesTurns reports whether the tests of a package cannot run in parallel in one process,
// but wait most of the time: each test of the supervisor wants the process's only wait4.
func takesTurns(p listed) bool { return strings.HasSuffix(p.ImportPath, "/supervisor") }

// divide returns a flag of `go test` for each part of a package's tests. The last one has
// what the others have not, whatever that is.
func divide(p listed) ([]string, error) {
	var names []string
	for _, file := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		text, err := os.ReadFile(filepath.Join(p.Dir, file))
		if err != nil {
			return nil, fmt.Errorf("divide %s: %w", p.ImportPath, err)
		}
		for _, match := range declared.FindAllStringSubmatch(string(text), -1) {
			names = append(names, match[1])
		}
	}
	shares := make([][]string, parts)
	for i, name := range names {
		shares[i%parts] = append(shares[i%parts], name)
	}
	exactly := func(names []string) string { return "^(" + strings.Join(names, "|") + ")$" }
	var flags []string
	var others []string
	for _, share := range shares[:parts-1] {
		flags = append(flags, "-run="+exactly(share))
		others = append(others, share...)
	}
	return append(flags, "-skip="+exactly(others)), nil
}
