package supervisor

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxOutput = 64 << 10
	// A process left behind by the child may keep the pipe open.
	drainOutput = 100 * time.Millisecond
)

// ExitError is the error of a program that ran and did not succeed.
type ExitError struct {
	Path   string
	Status unix.WaitStatus
	// Output is what it printed, at most 64 KiB.
	Output string
}

func (e *ExitError) Error() string {
	words := strings.TrimSpace(e.Output)
	if words == "" {
		words = "it printed nothing"
	}
	return fmt.Sprintf("%s: %s: %s", e.Path, describe(e.Status), words)
}

// Output runs a program and returns its combined stdout and stderr. If the program
// does not succeed, the error is an [*ExitError]; if it still runs when ctx is done, it
// is killed with its process group. So ctx must have a deadline.
func (r *Reaper) Output(ctx context.Context, path string, args ...string) (string, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return "", fmt.Errorf("run %s: %w", path, err)
	}
	defer null.Close()
	pr, pw, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("run %s: %w", path, err)
	}
	defer pr.Close()
	child, err := r.start(path, args, []*os.File{null, pw, pw})
	pw.Close()
	if err != nil {
		return "", err
	}
	printed := make(chan string, 1)
	go func() {
		// Drain the rest: a program that prints more must not block on a full pipe.
		text, _ := io.ReadAll(io.LimitReader(pr, maxOutput))
		_, _ = io.Copy(io.Discard, pr)
		printed <- string(text)
	}()
	var cut error
	select {
	case <-child.Done():
	case <-ctx.Done():
		cut = r.killTimedOut(ctx, child)
	}
	_ = pr.SetReadDeadline(time.Now().Add(drainOutput))
	text := <-printed
	switch {
	case cut != nil:
		return text, fmt.Errorf("run %s: %w", path, cut)
	case child.Status() != 0:
		return text, &ExitError{Path: path, Status: child.Status(), Output: text}
	}
	return text, nil
}

// killTimedOut kills a program that ran out of time and returns why. A program in
// uninterruptible I/O is left to the reaper.
func (r *Reaper) killTimedOut(ctx context.Context, child *Child) error {
	if err := child.signalGroup(unix.SIGKILL); err != nil {
		return fmt.Errorf("cannot kill a hung program: %w", err)
	}
	killed := time.NewTimer(killedWithin)
	defer killed.Stop()
	select {
	case <-child.Done():
		return fmt.Errorf("killed because it did not finish in time: %w", ctx.Err())
	case <-killed.C:
		return fmt.Errorf("process %d did not finish in time and survived SIGKILL; check uninterruptible I/O: %w", child.PID, ctx.Err())
	}
}
