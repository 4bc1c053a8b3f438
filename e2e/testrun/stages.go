package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
)

// rig is the package that starts ZooKeepers, daemons and load.
const rig = "/e2e/rig"

// listed is a package as `go list -json` describes it.
type listed struct {
	Dir, ImportPath           string
	TestImports, XTestImports []string
	TestGoFiles, XTestGoFiles []string
}

// stage has the arguments of each `go test` that runs at the same time as the others.
type stage [][]string

// name returns the name of the one package that is tested, or a word for several.
func (s stage) name() string {
	if _, packages := split(s[0]); len(s) == 1 && len(packages) == 1 {
		return path.Base(packages[0])
	}
	return "together"
}

// split splits the arguments of `go test` into flags and packages: the packages come
// last.
func split(args []string) (flags, packages []string) {
	first := len(args)
	for first > 0 && (strings.HasPrefix(args[first-1], ".") || strings.Contains(args[first-1], "/")) {
		first--
	}
	return args[:first], args[first:]
}

// plan finds the packages and decides which are tested together.
func plan(flags, patterns []string) ([]stage, error) {
	output, err := exec.Command("go", append([]string{"list", "-json=Dir,ImportPath,TestImports,XTestImports,TestGoFiles,XTestGoFiles"}, patterns...)...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("go list: %s", exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	packages, err := decode(strings.NewReader(string(output)))
	if err != nil {
		return nil, err
	}
	return stages(flags, packages)
}

func decode(packages io.Reader) (all []listed, err error) {
	for decoder := json.NewDecoder(packages); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}

// stages groups packages that are tested at the same time, and a package that is divided.
// Packages that load the machine with processes run alone, after all others: they measure
// durations, and would disturb each other.
func stages(flags []string, packages []listed) (all []stage, err error) {
	with := func(args ...string) []string { return slices.Concat(flags, args) }
	var first stage
	var together []string
	for _, p := range packages {
		imports := func(path string) bool { return strings.HasSuffix(path, rig) }
		switch {
		case slices.ContainsFunc(slices.Concat(p.TestImports, p.XTestImports), imports) && !strings.HasSuffix(p.ImportPath, rig):
			all = append(all, stage{with(p.ImportPath)})
		case takesTurns(p):
			parts, err := divide(p)
			if err != nil {
				return nil, err
			}
			for _, part := range parts {
				first = append(first, with(part, p.ImportPath))
			}
		default:
			together = append(together, p.ImportPath)
		}
	}
	if len(together) > 0 {
		first = append(first, with(together...))
	}
	if len(first) > 0 {
		all = slices.Insert(all, 0, first)
	}
	return all, nil
}
