package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// rig is the package that starts ZooKeepers, daemons and load.
const rig = "/e2e/rig"

// listed is a package as `go list -json` describes it.
type listed struct {
	ImportPath                string
	TestImports, XTestImports []string
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
func plan(patterns []string) ([][]string, error) {
	output, err := exec.Command("go", append([]string{"list", "-json=ImportPath,TestImports,XTestImports"}, patterns...)...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("go list: %s", exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	return stages(strings.NewReader(string(output)))
}

// stages groups packages that are tested at the same time. Packages that load the
// machine with processes run alone, after all others: they measure durations, and would
// disturb each other.
func stages(packages io.Reader) ([][]string, error) {
	var together []string
	var alone [][]string
	for decoder := json.NewDecoder(packages); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		imports := func(path string) bool { return strings.HasSuffix(path, rig) }
		if slices.ContainsFunc(slices.Concat(p.TestImports, p.XTestImports), imports) && !strings.HasSuffix(p.ImportPath, rig) {
			alone = append(alone, []string{p.ImportPath})
		} else {
			together = append(together, p.ImportPath)
		}
	}
	if len(together) > 0 {
		alone = slices.Insert(alone, 0, together)
	}
	return alone, nil
}
