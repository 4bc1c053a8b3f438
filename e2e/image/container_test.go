//go:build image

package image

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// container is a container created by a test.
type container struct{ *rig.Container }

func start(ctx context.Context, o rig.ContainerOptions) (*container, error) {
	c, err := rig.StartContainer(ctx, o)
	if err != nil {
		return nil, err
	}
	return &container{c}, nil
}

// run creates and starts a container, which is removed at the end of the test.
func run(t *testing.T, o rig.ContainerOptions) *container {
	t.Helper()
	c, err := start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s", o.Image, c.Logs())
		}
		if err := c.Remove(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// signal sends a signal to process 1 from outside, without the engine.
func (c *container) signal(sig syscall.Signal) error {
	pid, err := c.PID()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, sig)
}

// stop stops the container as `docker stop` does and returns its exit code.
func (c *container) stop() (code string, took time.Duration, err error) {
	began := time.Now()
	if _, err := rig.Docker(context.Background(), "stop", c.ID); err != nil {
		return "", 0, err
	}
	took = time.Since(began)
	code, err = c.Inspect("{{.State.ExitCode}}")
	return code, took, err
}

// process is a container's process, as seen on this host.
type process struct {
	pid, ppid int
	state     string
	args      string
}

func (c *container) processes() ([]process, error) {
	text, err := rig.Docker(context.Background(), "top", c.ID, "-eo", "pid,ppid,stat,args")
	if err != nil {
		return nil, err
	}
	_, rows, _ := strings.Cut(text, "\n")
	var all []process
	for row := range strings.Lines(rows) {
		fields := strings.Fields(row)
		if len(fields) < 4 {
			return nil, fmt.Errorf("docker top: %q", row)
		}
		p := process{state: fields[2], args: strings.Join(fields[3:], " ")}
		if p.pid, err = strconv.Atoi(fields[0]); err != nil {
			return nil, fmt.Errorf("docker top: %q: %w", row, err)
		}
		if p.ppid, err = strconv.Atoi(fields[1]); err != nil {
			return nil, fmt.Errorf("docker top: %q: %w", row, err)
		}
		all = append(all, p)
	}
	return all, nil
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	if err := rig.Eventually(t.Context(), within, check); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
