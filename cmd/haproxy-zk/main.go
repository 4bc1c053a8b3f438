// Command haproxy-zk keeps the servers of HAProxy equal to what is registered
// in ZooKeeper, and owns the HAProxy processes.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// version is set by the linker.
var version = "dev"

// Exit codes, besides 0: stopped as asked.
const (
	exitFailed = 1 // failed at run time
	exitUsage  = 2 // bad usage or configuration
)

// usageError is an error that the user mends: in the command line, the
// environment, the configuration or the template.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	// A Go program that panics, or that SIGABRT ends, exits with 2, which is a wrong configuration here, and
	// systemd would not start it again. With this it dies of SIGABRT.
	debug.SetTraceback("crash")
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

func execute(args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return 0
	}
	exit, own := errors.AsType[exitError](err)
	if !own || exit.text != "" {
		last := newOutput(stderr) // nobody may read it
		fmt.Fprintf(last, "haproxy-zk: %v\n", err)
		last.drain()
	}
	if own {
		return exit.code
	}
	if errors.As(err, new(usageError)) || errors.Is(err, registry.ErrRefused) {
		return exitUsage
	}
	return exitFailed
}
