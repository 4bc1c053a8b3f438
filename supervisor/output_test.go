package supervisor

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// output runs a script with a time limit.
func output(ctx context.Context, t *testing.T, r *Reaper, script string) (text string, err error) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		text, err = r.Output(ctx, shell, "-c", script)
	}()
	waitFor(t, "Output returns", done)
	return text, err
}

func TestOutput(t *testing.T) {
	r := runReaper(t)
	tests := []struct {
		name   string
		script string
		text   string
		status string // empty: it succeeds
		words  string
	}{
		{name: "nothing", script: "exit 0"},
		{name: "stdout and stderr", script: "echo one; echo two >&2; echo three", text: "one\ntwo\nthree\n"},
		{name: "no input", script: "cat", text: ""},
		{name: "exit code", script: "echo why >&2; exit 3", text: "why\n", status: "exit code 3", words: "/bin/sh: exit code 3: why"},
		{name: "silent exit code", script: "exit 1", status: "exit code 1", words: "/bin/sh: exit code 1: it printed nothing"},
		{name: "signal", script: "kill -KILL $$", status: "killed by SIGKILL", words: "/bin/sh: killed by SIGKILL: it printed nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := output(t.Context(), t, r, tt.script)
			if text != tt.text {
				t.Errorf("it printed %q", text)
			}
			if tt.status == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var exit *ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("the error is %v", err)
			}
			if got := describe(exit.Status); exit.Path != shell || exit.Output != tt.text || got != tt.status || err.Error() != tt.words {
				t.Errorf("%+v with %s: %v", exit, got, err)
			}
		})
	}
}

func TestOutputOfMissingProgram(t *testing.T) {
	r := runReaper(t)
	_, err := r.Output(t.Context(), filepath.Join(t.TempDir(), "haproxy"))
	if !errors.Is(err, unix.ENOENT) || errors.As(err, new(*ExitError)) {
		t.Errorf("the error is %v", err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	r := runReaper(t)
	text, err := output(t.Context(), t, r, "head -c 10000000 /dev/zero | tr '\\0' x")
	if err != nil {
		t.Fatal(err)
	}
	if text != strings.Repeat("x", maxOutput) {
		t.Errorf("%d bytes came back", len(text))
	}
}

func TestOutputEndsWithItsContext(t *testing.T) {
	r := runReaper(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		pollUntil(func() bool { return len(children(t)) == 1 })
		cancel()
	}()
	if _, err := output(ctx, t, r, "exec sleep 1000"); !errors.Is(err, context.Canceled) || errors.As(err, new(*ExitError)) {
		t.Errorf("the error is %v", err)
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("processes %d remain", left)
	}
}

// A daemon that keeps its output open must not block the caller.
func TestOutputDoesNotWaitForGrandchildren(t *testing.T) {
	r := runReaper(t)
	text, err := output(t.Context(), t, r, "sleep 1000 & echo $!")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	waitForChildren(t, pid)
	kill(t, pid, unix.SIGKILL)
}
