package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
)

func main() {
	code, err := run(os.Stdout, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
	}
	os.Exit(code)
}

func run(out io.Writer, args []string) (int, error) {
	announce(out)
	flags, patterns := split(args)
	stages, err := plan(flags, patterns)
	if err != nil {
		return 1, err
	}
	report := newReport(out)
	code := 0
	for _, runs := range stages {
		begun := time.Now()
		exit, cpu, err := goTests(report, runs)
		if err != nil {
			return 1, err
		}
		code = max(code, exit)
		report.used(runs.name(), time.Since(begun), cpu, runtime.NumCPU())
	}
	report.end(missingHAProxies())
	return code, nil
}

// announce prints what the machine lacks before anything runs.
func announce(out io.Writer) {
	for _, need := range needs.All() {
		err := need.Missing()
		switch {
		case err == nil:
		case os.Getenv("CI") == "true":
			fmt.Fprintf(out, "testrun: no %s here (%v): tests that need it fail, since CI=true\n", need.Name, err)
		default:
			fmt.Fprintf(out, "testrun: no %s here (%v): tests that need it are left out\n", need.Name, err)
		}
	}
	fmt.Fprintln(out, "testrun: compiling, then testing")
}

// missingHAProxies returns the messages that build/haproxy has left about unavailable
// versions, by version.
func missingHAProxies() map[string]string {
	found := make(map[string]string)
	files, err := filepath.Glob("bin/haproxy-*.missing")
	if err != nil {
		return nil
	}
	for _, file := range files {
		version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "haproxy-"), ".missing")
		if text, err := os.ReadFile(file); err == nil {
			found[version] = string(text)
		}
	}
	return found
}
