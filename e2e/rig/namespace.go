package rig

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// namespaceWithin bounds a command of iproute2, which takes milliseconds.
const namespaceWithin = 20 * time.Second

// Namespace is a network namespace, which is a host with its own interfaces, addresses
// and routes. It needs [needs.Networks].
type Namespace struct{ name string }

// CreateNamespace creates a namespace with a loopback interface that is up.
func CreateNamespace() (*Namespace, error) {
	n := &Namespace{UniqueName("ns")}
	if err := iproute("netns", "add", n.name); err != nil {
		return nil, err
	}
	return n, n.IP("link", "set", "lo", "up")
}

// Close deletes the namespace. Processes in it must have ended.
func (n *Namespace) Close() error { return iproute("netns", "delete", n.name) }

// Name returns the name of the namespace in commands of iproute2.
func (n *Namespace) Name() string { return n.name }

// IP calls ip(8) in the namespace.
func (n *Namespace) IP(args ...string) error {
	return iproute(append([]string{"-netns", n.name}, args...)...)
}

// Show calls ip(8) in the namespace and returns its output.
func (n *Namespace) Show(args ...string) (string, error) {
	return run("ip", append([]string{"-netns", n.name}, args...)...)
}

// Set writes a setting of the namespace below /proc/sys/net.
func (n *Namespace) Set(setting, value string) error {
	return n.Do(func() error { return os.WriteFile("/proc/sys/net/"+setting, []byte(value), 0) })
}

// Command returns a command that runs in the namespace.
func (n *Namespace) Command(program string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + n.path(), "--", program}, args...)...)
}

// Do calls do on a thread in the namespace: sockets that it opens are there and stay
// there.
func (n *Namespace) Do(do func() error) error {
	done := make(chan error, 1)
	go func() {
		// Without UnlockOSThread the thread ends with the goroutine.
		runtime.LockOSThread()
		done <- n.enter(do)
	}()
	return <-done
}

func (n *Namespace) enter(do func() error) error {
	f, err := os.Open(n.path())
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter %s: %w", n.name, err)
	}
	return do()
}

// Dial is net.DialTimeout in the namespace, for addresses without names.
func (n *Namespace) Dial(network, addr string, timeout time.Duration) (conn net.Conn, err error) {
	err = n.Do(func() error {
		conn, err = net.DialTimeout(network, addr, timeout)
		return err
	})
	return conn, err
}

func (n *Namespace) path() string { return "/run/netns/" + n.name }

func iproute(args ...string) error {
	_, err := run("ip", args...)
	return err
}

// run runs a command that ends by itself.
func run(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), namespaceWithin)
	defer cancel()
	output, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return string(output), nil
}
