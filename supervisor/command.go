package supervisor

import (
	"os"

	"golang.org/x/sys/unix"
)

// Command is a program that runs as a child of this process in the foreground, for an
// operator rather than for a proxy.
type Command struct{ *Child }

// StartCommand executes path with argv, whose first element is its name. It gets this
// process's standard input, outputs and environment, and a process group of its own. If
// this process dies, the command gets SIGTERM.
func (r *Reaper) StartCommand(path string, argv []string) (*Command, error) {
	child, err := r.forkUntil(unix.SIGTERM, path, argv, []*os.File{os.Stdin, os.Stdout, os.Stderr})
	if err != nil {
		return nil, err
	}
	return &Command{child}, nil
}

// Signal sends sig to the command alone, and does nothing once it has ended.
func (c *Command) Signal(sig unix.Signal) error { return c.sendSignal(sig) }

// Kill sends SIGKILL to the command and its process group, and does nothing once it has
// ended.
func (c *Command) Kill() error { return c.signalGroup(unix.SIGKILL) }

// ExitCode returns the command's exit code, 128 + N if signal N ended it, as in a shell. It
// is valid once Done is closed.
func (c *Command) ExitCode() int { return exitCode(c.Status(), nil) }
