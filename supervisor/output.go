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
	// A process that the child left behind may keep the pipe open.
	drainOutput = 100 * time.Millisecond
)

// ExitError says that a program ran and did not succeed.
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

// Output runs a program and returns what it prints, stdout and stderr together.
// A program that does not succeed is an [*ExitError]; one that still runs when
// ctx is done is killed.
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
		// A program that prints more must not block on a full pipe.
		text, _ := io.ReadAll(io.LimitReader(pr, maxOutput))
		_, _ = io.Copy(io.Discard, pr)
		printed <- string(text)
	}()
	var cut error
	select {
	case <-child.Done():
	case <-ctx.Done():
		cut = ctx.Err()
		if err := child.signal(unix.SIGKILL); err != nil {
			r.log.Error("cannot end a program that hangs", "path", path, "error", err)
		}
		<-child.Done()
	}
	_ = pr.SetReadDeadline(time.Now().Add(drainOutput))
	text := <-printed
	switch {
	case cut != nil:
		return text, fmt.Errorf("run %s: ended because it did not finish in time: %w", path, cut)
	case child.Status() != 0:
		return text, &ExitError{Path: path, Status: child.Status(), Output: text}
	}
	return text, nil
}
