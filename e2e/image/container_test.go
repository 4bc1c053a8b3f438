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

// options describe a container.
type options struct {
	image    string
	networks []string // the first is where ports are published
	alias    string   // its name on every network
	flags    []string // of docker create
	args     []string
}

// container is one that a test has made.
type container struct {
	id       string
	networks []string
}

// start makes a container and starts it.
func start(ctx context.Context, o options) (*container, error) {
	args := []string{"create", "--name", unique("c"), "--network", o.networks[0]}
	if o.alias != "" {
		args = append(args, "--network-alias", o.alias)
	}
	args = append(append(append(args, o.flags...), o.image), o.args...)
	id, err := rig.Docker(ctx, args...)
	if err != nil {
		return nil, err
	}
	c := &container{id: id, networks: o.networks}
	for _, network := range o.networks[1:] {
		if err = c.join(ctx, network, o.alias); err != nil {
			break
		}
	}
	if err == nil {
		_, err = rig.Docker(ctx, "start", id)
	}
	if err != nil {
		_ = c.remove() // the first error is the one to tell
		return nil, err
	}
	return c, nil
}

// run makes and starts a container, which the end of the test removes.
func run(t *testing.T, o options) *container {
	t.Helper()
	c, err := start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s", o.image, c.logs())
		}
		if err := c.remove(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// remove ends the container and removes it with its volumes. One that is gone
// is no error.
func (c *container) remove() error {
	_, err := rig.Docker(context.Background(), "rm", "--force", "--volumes", c.id)
	if err != nil && strings.Contains(err.Error(), "No such container") {
		return nil
	}
	return err
}

func (c *container) join(ctx context.Context, network, alias string) error {
	args := []string{"network", "connect"}
	if alias != "" {
		args = append(args, "--alias", alias)
	}
	_, err := rig.Docker(ctx, append(args, network, c.id)...)
	return err
}

// inspect returns a part of what the engine knows of the container.
func (c *container) inspect(format string) (string, error) {
	return rig.Docker(context.Background(), "inspect", "--format", format, c.id)
}

func (c *container) ip(network string) (string, error) {
	ip, err := c.inspect(fmt.Sprintf("{{(index .NetworkSettings.Networks %q).IPAddress}}", network))
	if err == nil && ip == "" {
		err = fmt.Errorf("container %.12s has no address on %s", c.id, network)
	}
	return ip, err
}

// pid is that of the container's process 1, as this host has it.
func (c *container) pid() (int, error) {
	text, err := c.inspect("{{.State.Pid}}")
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(text)
	if err == nil && pid == 0 {
		err = fmt.Errorf("container %.12s does not run", c.id)
	}
	return pid, err
}

// signal sends a signal to process 1 from outside, unknown to the engine.
func (c *container) signal(sig syscall.Signal) error {
	pid, err := c.pid()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, sig)
}

// published is the loopback address where a port of the container is.
func (c *container) published(port int) (string, error) {
	text, err := rig.Docker(context.Background(), "port", c.id, strconv.Itoa(port)+"/tcp")
	first, _, _ := strings.Cut(text, "\n")
	return first, err
}

func (c *container) logs() string {
	text, err := rig.DockerOutput(context.Background(), "logs", "--tail", "40", c.id)
	if err != nil {
		return err.Error()
	}
	return text
}

// stop stops the container as `docker stop` does and returns its exit code.
func (c *container) stop() (code string, took time.Duration, err error) {
	began := time.Now()
	if _, err := rig.Docker(context.Background(), "stop", c.id); err != nil {
		return "", 0, err
	}
	took = time.Since(began)
	code, err = c.inspect("{{.State.ExitCode}}")
	return code, took, err
}

// process is one of a container, as this host sees it.
type process struct {
	pid, ppid int
	state     string
	args      string
}

func (c *container) processes() ([]process, error) {
	text, err := rig.Docker(context.Background(), "top", c.id, "-eo", "pid,ppid,stat,args")
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
