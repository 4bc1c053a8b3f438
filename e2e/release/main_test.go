//go:build release

package release

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

const version = "0.0.1"

// made is where the release is.
var made struct {
	dist     string // of the release
	snapshot string // of the snapshot
	again    string // the binary for amd64, built once more
	image    string // its index in a registry
}

func TestMain(m *testing.M) {
	made.dist, made.snapshot, made.again = os.Getenv("RELEASE"), os.Getenv("SNAPSHOT"), os.Getenv("AGAIN")
	made.image = os.Getenv("REGISTRY") + "/haproxy-zk:" + version
	if made.dist == "" || made.snapshot == "" || made.again == "" {
		fmt.Fprintln(os.Stderr, "there is no release to test: run `make release-check`")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// output runs a command, for a minute at most, and returns its output.
func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, stderr.String())
	}
	return stdout.Bytes()
}
