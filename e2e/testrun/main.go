package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
)

// progressAfter is the maximum time without output.
const progressAfter = 30 * time.Second

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
	stages, err := plan(patterns)
	if err != nil {
		return 1, err
	}
	report := newReport(out)
	code := 0
	for _, packages := range stages {
		exit, err := goTest(report, slices.Concat(flags, packages))
		if err != nil {
			return 1, err
		}
		code = max(code, exit)
	}
	report.end(missingHAProxies())
	return code, nil
}

// goTest runs `go test` once, and returns its exit code.
func goTest(r *report, args []string) (int, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	// Otherwise every process with the race detector sleeps for a second at its end.
	cmd.Env = append([]string{"GORACE=atexit_sleep_ms=0"}, os.Environ()...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	follow(r, stdout)
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
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

// follow passes each line of go test to the report, and requests progress when there is
// none.
func follow(r *report, stdout io.Reader) {
	lines := make(chan string)
	go func() {
		defer close(lines)
		reader := bufio.NewReader(stdout)
		for {
			line, err := reader.ReadString('\n')
			if line != "" {
				lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	tick := time.NewTicker(progressAfter)
	defer tick.Stop()
	for {
		select {
		case line, more := <-lines:
			if !more {
				return
			}
			r.take(line)
		case <-tick.C:
			r.progress()
		}
	}
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
