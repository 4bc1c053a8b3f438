package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

const modulePath = "github.com/haproxy-zk/haproxy-zk"

// built caches the results of [Build] and [BuildService]: one build per process is enough.
var built struct {
	sync.Mutex
	paths map[string]string
}

// Build builds the daemon, on the first call in this process, and returns the path of
// the binary below bin/ of this module. With race it has the race detector, which makes
// a process with a data race exit with 66.
func Build(ctx context.Context, race bool) (string, error) {
	return build(ctx, "./cmd/haproxy-zk", race)
}

// BuildService is Build of the command e2e/service, with the race detector.
func BuildService(ctx context.Context) (string, error) { return build(ctx, "./e2e/service", true) }

func build(ctx context.Context, command string, race bool) (string, error) {
	built.Lock()
	defer built.Unlock()
	root, err := moduleRoot()
	if err != nil {
		return "", fmt.Errorf("build %s: %w", command, err)
	}
	path := filepath.Join(root, "bin", "e2e", filepath.Base(command))
	args := []string{"build", "-buildvcs=false"}
	if race {
		path += "-race"
		args = append(args, "-race")
	}
	if known, ok := built.paths[path]; ok {
		return known, nil
	}
	// Other processes may build and run it at the same time, so it is built under
	// another name and renamed.
	aside := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer os.Remove(aside)
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", aside, command)...)
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", command, err, output)
	}
	if err := os.Rename(aside, path); err != nil {
		return "", fmt.Errorf("build %s: %w", command, err)
	}
	if built.paths == nil {
		built.paths = make(map[string]string)
	}
	built.paths[path] = path
	return path, nil
}

// moduleRoot finds the directory of this module's go.mod, starting at the working
// directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if declares(filepath.Join(dir, "go.mod"), modulePath) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory is not inside the module " + modulePath)
		}
		dir = parent
	}
}

func declares(file, module string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(name) == module
		}
	}
	return false
}
