package main

import (
	"context"
	"errors"
	"os/signal"

	"golang.org/x/sys/unix"
)

// errStopped is the error of a command that a signal has ended.
var errStopped = errors.New("stopped by a signal")

// untilStopped returns a context that TERM and INT end: HAProxy, which may hang, is in a
// process group of its own, so that a terminal does not reach it.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, unix.SIGTERM, unix.SIGINT)
}
