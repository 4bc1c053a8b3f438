package hactl

import (
	"context"
	"log/slog"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Reloader starts and reloads HAProxy.
type Reloader interface {
	// Reload starts HAProxy with a configuration in place of the running generation,
	// and returns the pids of its workers once all of them answer. On error the
	// previous generation is still running.
	Reload(ctx context.Context, launch registry.Launch) (pids []int, err error)
	// Adopt makes an HAProxy that is already running the current generation, provided
	// that it differs from what Reload would start only in ways that stats sockets can
	// change. It returns the pids of its workers. On error nothing has changed.
	Adopt(ctx context.Context, launch registry.Launch) (pids []int, err error)
	// Rewrite replaces the files of the running generation by those of launch, which is what
	// its workers run now, unless they are the same. It does not block: a failure is tried
	// again until it succeeds, or until newer files replace these.
	Rewrite(launch registry.Launch)
	// Died delivers the pid of every worker that ended unexpectedly.
	Died() <-chan int
	// Crowded reports whether so many old generations are still draining that a reload
	// that is not urgent should wait.
	Crowded() bool
}

// Options of a [Controller].
type Options struct {
	Proxy    string
	Template *haproxy.Template
	Frame    haproxy.Frame
	Backends []haproxy.Backend
	// Discover returns the backend of a discovered group; nil disables discovery. Its
	// error says why the name cannot be a group.
	Discover func(name string) (haproxy.Backend, error)
	// Current returns the layout for the HAProxy version that a launch would start now.
	// It may differ from that of Frame; the layout then differs only in the version and
	// what depends on it. Current is called before every launch and may block for
	// seconds; nil means that the version never changes.
	Current  func(ctx context.Context) (Layout, error)
	Reloader Reloader
	// StartWait is how long the start of HAProxy waits for the groups to be read.
	StartWait time.Duration
	// Resync is how often the actual state of every worker is compared with the desired
	// state. If that is expensive it happens less often, but at least every 30 s.
	Resync time.Duration
	// Heartbeat is the interval between heartbeats to every worker.
	Heartbeat time.Duration
	// Timeout bounds one request to a stats socket.
	Timeout time.Duration
	// Report receives what changes, without the name of the proxy. It must not block; nil
	// discards the events.
	Report  func(registry.Event)
	Logger  *slog.Logger
	Metrics *Metrics
	// Settle takes the last figures that a worker counted for an instance which has left,
	// before another instance gets its server. It must not block; nil is allowed.
	Settle func(pid int, last haproxy.Stats)
	// Removed takes the last figures that a worker counted for a server which was deleted. It
	// must not block; nil is allowed.
	Removed func(pid int, last haproxy.Stats)
	// Published is called after each change of the snapshot. It must not block; nil is
	// not called.
	Published func()

	// clock is time.Now except in tests.
	clock func() time.Time
}
