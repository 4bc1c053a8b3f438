package rig

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
)

// ContainerOptions describe a container.
type ContainerOptions struct {
	Image    string
	Networks []string // ports are published on the first one
	Alias    string   // its name on every network
	Flags    []string // of docker create
	Args     []string
}

// Container is a container created by this package. Its methods may be called from
// several goroutines.
type Container struct {
	ID       string
	Networks []string
}

// UniqueName returns a unique name for a Docker object.
func UniqueName(what string) string {
	return "haproxy-zk-test-" + what + "-" + strings.ToLower(rand.Text()[:10])
}

// StartContainer creates and starts a container.
func StartContainer(ctx context.Context, o ContainerOptions) (*Container, error) {
	args := []string{"create", "--name", UniqueName("c"), "--network", o.Networks[0]}
	if o.Alias != "" {
		args = append(args, "--network-alias", o.Alias)
	}
	args = append(append(append(args, o.Flags...), o.Image), o.Args...)
	id, err := Docker(ctx, args...)
	if err != nil {
		return nil, err
	}
	c := &Container{ID: id, Networks: o.Networks}
	for _, network := range o.Networks[1:] {
		if err = c.Join(ctx, network, o.Alias); err != nil {
			break
		}
	}
	if err == nil {
		_, err = Docker(ctx, "start", id)
	}
	if err != nil {
		_ = c.Remove() // the first error is more useful
		return nil, err
	}
	return c, nil
}

// Remove kills the container and removes it with its volumes. A missing container is
// not an error.
func (c *Container) Remove() error {
	_, err := Docker(context.Background(), "rm", "--force", "--volumes", c.ID)
	if err != nil && strings.Contains(err.Error(), "No such container") {
		return nil
	}
	return err
}

// Join connects the container to another network, with the name alias unless it is
// empty.
func (c *Container) Join(ctx context.Context, network, alias string) error {
	args := []string{"network", "connect"}
	if alias != "" {
		args = append(args, "--alias", alias)
	}
	_, err := Docker(ctx, append(args, network, c.ID)...)
	return err
}

// Inspect returns the result of docker inspect with a format.
func (c *Container) Inspect(format string) (string, error) {
	return Docker(context.Background(), "inspect", "--format", format, c.ID)
}

// IP returns the container's address on a network.
func (c *Container) IP(network string) (string, error) {
	ip, err := c.Inspect(fmt.Sprintf("{{(index .NetworkSettings.Networks %q).IPAddress}}", network))
	if err == nil && ip == "" {
		err = fmt.Errorf("container %.12s has no address on %s", c.ID, network)
	}
	return ip, err
}

// PID returns the pid of the container's process 1 on this host.
func (c *Container) PID() (int, error) {
	text, err := c.Inspect("{{.State.Pid}}")
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(text)
	if err == nil && pid == 0 {
		err = fmt.Errorf("container %.12s does not run", c.ID)
	}
	return pid, err
}

// Published returns the loopback address of a published port of the container.
func (c *Container) Published(port int) (string, error) {
	text, err := Docker(context.Background(), "port", c.ID, strconv.Itoa(port)+"/tcp")
	first, _, _ := strings.Cut(text, "\n")
	return first, err
}

// Logs returns the end of the container's output.
func (c *Container) Logs() string {
	text, err := DockerOutput(context.Background(), "logs", "--tail", "40", c.ID)
	if err != nil {
		return err.Error()
	}
	return text
}

// Says returns nil if the container has printed words, however long ago; its error has
// the end of the output.
func (c *Container) Says(words string) error {
	text, err := DockerOutput(context.Background(), "logs", c.ID)
	if err == nil && !strings.Contains(text, words) {
		err = fmt.Errorf("no %q in what it said:\n%s", words, text[max(0, len(text)-4000):])
	}
	return err
}

// CreateNetwork creates a private network and returns its name.
func CreateNetwork(ctx context.Context, flags ...string) (string, error) {
	name := UniqueName("net")
	_, err := Docker(ctx, append([]string{"network", "create", name}, flags...)...)
	return name, err
}

// RemoveNetwork removes a network created by CreateNetwork.
func RemoveNetwork(name string) error {
	_, err := Docker(context.Background(), "network", "rm", name)
	return err
}
