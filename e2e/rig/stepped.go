package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// Signals that step the clock of a daemon built by [BuildStepped].
const (
	StepForward = syscall.Signal(40)
	StepBack    = syscall.Signal(41)
)

// clockNow is the line of the time package that reads the time of day for the whole
// program.
const clockNow = "sec, nsec, mono := runtimeNow()"

const clockSource = `package main

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	_ "unsafe"
)

//go:linkname stepped time.stepped
var stepped atomic.Int64

func init() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.Signal(%d), syscall.Signal(%d))
	go func() {
		for sig := range signals {
			step := int64(3600)
			if sig == syscall.Signal(%[2]d) {
				step = -step
			}
			stepped.Add(step)
		}
	}()
}
`

// BuildStepped builds the daemon in dir with its own wall clock, which steps by an hour
// on a signal, as a machine's clock may when it is corrected; the monotonic clock is
// unaffected. The machine's own clock is not touched. The binary differs from the
// daemon's in one line of the standard library.
func BuildStepped(ctx context.Context, dir string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", fmt.Errorf("build the daemon: %w", err)
	}
	output, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("build the daemon: find Go's sources: %w", err)
	}
	library := filepath.Join(strings.TrimSpace(string(output)), "src", "time", "time.go")
	source, err := os.ReadFile(library)
	if err != nil {
		return "", fmt.Errorf("build the daemon: %w", err)
	}
	text := string(source)
	if !strings.Contains(text, clockNow) {
		return "", fmt.Errorf("build the daemon: %s of %s has no line %q: the clock is read elsewhere", library, runtime.Version(), clockNow)
	}
	text = strings.Replace(text, clockNow, clockNow+"\n\tsec += stepped.Load()", 1)
	text = strings.Replace(text, "import (", "import (\n\t\"sync/atomic\"", 1)
	text += "\n//go:linkname stepped\nvar stepped atomic.Int64\n"
	files := map[string]string{
		library: text,
		filepath.Join(root, "cmd", "haproxy-zk", "stepped.go"): fmt.Sprintf(clockSource, StepForward, StepBack),
	}
	replace := make(map[string]string)
	for place, text := range files {
		replace[place] = filepath.Join(dir, filepath.Base(place))
		if err := os.WriteFile(replace[place], []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("build the daemon: %w", err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("build the daemon: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", fmt.Errorf("build the daemon: %w", err)
	}
	path := filepath.Join(dir, "haproxy-zk")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-overlay", filepath.Join(dir, "overlay.json"), "-o", path, "./cmd/haproxy-zk")
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the daemon: %w\n%s", err, output)
	}
	return path, nil
}
