package rig_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func startScript(t *testing.T, script string) *rig.Daemon {
	t.Helper()
	d, err := rig.StartDaemon(rig.DaemonOptions{
		Binary: "/bin/sh", Args: []string{"-c", script}, Env: []string{"WORD=hello"}, Dir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestDaemonOutputAndExitCode(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	d := startScript(t, `trap 'echo bye; exit 3' TERM; echo "$WORD $HOME"; while :; do sleep 0.05; done`)
	if err := d.WaitOutput(ctx, "hello /"); err != nil {
		t.Fatal(err)
	}
	if err := d.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code, err := d.Wait(ctx); code != 3 || err != nil {
		t.Errorf("exit code %d, %v, want 3", code, err)
	}
	if !strings.HasSuffix(d.Output(), "bye\n") {
		t.Errorf("output %q", d.Output())
	}
	if err := d.WaitOutput(ctx, "never"); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for what a dead daemon never wrote: %v", err)
	}
	if err := d.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal to a dead daemon: %v", err)
	}

	d = startScript(t, "exec sleep 60")
	d.Kill()
	if code, err := d.Wait(ctx); code != 128+9 || err != nil {
		t.Errorf("exit code %d, %v, want 137", code, err)
	}
}

// A grandchild in its own session is a descendant of the daemon, a leftover when the
// daemon dies, and gone after Close.
func TestDaemonDescendantsAndLeftovers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	// The worker stops itself: sleeping in a loop would fork, and it would be found
	// twice.
	d := startScript(t, `echo 'echo up; while :; do kill -STOP $$; done' >"$HOME/worker"; setsid sh "$HOME/worker" & wait`)
	if err := d.WaitOutput(ctx, "up"); err != nil {
		t.Fatal(err)
	}
	below, err := d.Descendants()
	if err != nil {
		t.Fatal(err)
	}
	if len(below) == 0 || below[0].PPID != d.PID() {
		t.Errorf("descendants of %d: %v", d.PID(), below)
	}

	d.Kill()
	left, err := d.Leftovers()
	if err != nil || len(left) != 1 || !strings.HasSuffix(left[0].Args[1], "/worker") || left[0].Zombie() {
		t.Errorf("leftovers %v, %v, want the worker", left, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	err = rig.Eventually(ctx, 10*time.Second, func() error {
		if left, err := d.Leftovers(); err != nil || len(left) > 0 {
			return fmt.Errorf("leftovers %v, %w", left, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
