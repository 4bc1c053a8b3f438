package rig

import (
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

const programStop = 10 * time.Second

// Program is another program beside haproxy-zk, such as a load balancer in front of it.
type Program struct {
	child  *child
	output output
}

// StartProgram starts a command whose output is kept. If this process dies first, the
// command gets SIGTERM.
func StartProgram(cmd *exec.Cmd) (*Program, error) {
	p := &Program{}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	cmd.WaitDelay = outputWait
	child, err := startChild(cmd, syscall.SIGTERM)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p.child = child
	return p, nil
}

// Output returns what the program has written, at least the last megabyte.
func (p *Program) Output() string { return p.output.String() }

// Running returns nil while the program runs.
func (p *Program) Running() error {
	if p.child.exited() {
		return fmt.Errorf("%s ended: %s; it said:\n%s", p.child.cmd.Path, p.child.state(), p.output.tail())
	}
	return nil
}

// Signal sends a signal to the program alone.
func (p *Program) Signal(sig syscall.Signal) error { return p.child.signal(sig) }

// Stop ends the program with SIGTERM, after 10 s its process group with SIGKILL, and
// waits for it. It may be called twice.
func (p *Program) Stop() { p.child.stop(programStop) }

// Kill kills the program's process group and waits for the program.
func (p *Program) Kill() { p.child.kill() }
