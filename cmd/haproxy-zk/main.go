// Command haproxy-zk keeps HAProxy's servers in sync with what is
// registered in ZooKeeper, and owns the HAProxy processes.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/daemon"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/logging"
)

func main() {
	abortOnCrash()
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// abortOnCrash makes crashes end by SIGABRT. A Go program that panics, that runs out
// of stack or memory, or that SIGQUIT or SIGABRT ends, exits with 2, which is a wrong
// configuration here, and systemd would not start it again.
func abortOnCrash() { debug.SetTraceback("crash") }

func execute(args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	ran, err := root.ExecuteC()
	isDaemon := ran == root || ran.Name() == "run"
	if isDaemon {
		err = daemon.BesideHAProxy(err, cmp.Or(given(root, "run-dir"), config.DefaultRunDir))
	}
	if exit, own := errors.AsType[exitcode.Error](err); err != nil && (!own || exit.Text != "") {
		last := logging.NewOutput(stderr) // nobody may read it
		if format := given(root, "log-format"); isDaemon && format == logging.JSON {
			logging.New(logging.Options{Format: format}, last).Error("haproxy-zk failed", "error", err, "exit_code", exitcode.Of(err))
		} else {
			fmt.Fprintf(last, "haproxy-zk: %v\n", err)
		}
		last.Drain()
	}
	return exitcode.Of(err)
}
