package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Target is what a request of a [Load] asks for.
type Target struct {
	Path string
	// App is the application that must answer; empty means any.
	App string
}

// LoadOptions describe a [Load]. Zero values stand for the defaults.
type LoadOptions struct {
	// Addr is the listener's `ip:port`, which must be on loopback unless Dial is set.
	Addr string
	// Dial connects in place of net.DialTimeout: in a [Namespace] of the test's own.
	Dial func(network, addr string, timeout time.Duration) (net.Conn, error)
	// Targets are requested in turn; default: `/`.
	Targets []Target
	// KeepAlive is the number of clients that keep their connection, Fresh the number
	// of clients that open one for each request.
	KeepAlive, Fresh int
	// Rate is the maximum number of requests per second of one client; default: 50.
	Rate float64
	// Timeout bounds one request; default: 10 s.
	Timeout time.Duration
	// MaxRequests and MaxTime bound the load; defaults: a million, ten minutes.
	MaxRequests int
	MaxTime     time.Duration
	// Failed is called for every failure, from several goroutines.
	Failed func(Failure)
}

// Load sends requests to a listener and counts the results. Nothing is ever retried:
// what a client library would hide is a failure here, including a kept connection that
// the server closes between two requests.
type Load struct {
	options LoadOptions
	cancel  context.CancelFunc
	clients sync.WaitGroup
	tally   tally
}

// NewLoad checks the options. It opens no connection yet.
func NewLoad(options LoadOptions) (*Load, error) {
	addr, err := netip.ParseAddrPort(options.Addr)
	switch {
	case err != nil:
		return nil, fmt.Errorf("load: %w", err)
	case options.Dial == nil && !addr.Addr().IsLoopback():
		return nil, fmt.Errorf("load: %s is not loopback", options.Addr)
	case options.KeepAlive < 0, options.Fresh < 0, options.KeepAlive+options.Fresh == 0:
		return nil, errors.New("load: it needs clients")
	case options.Rate < 0:
		return nil, fmt.Errorf("load: rate %g is negative", options.Rate)
	}
	if options.Dial == nil {
		options.Dial = net.DialTimeout
	}
	if len(options.Targets) == 0 {
		options.Targets = []Target{{Path: "/"}}
	}
	if options.Rate == 0 {
		options.Rate = 50
	}
	if options.Timeout == 0 {
		options.Timeout = 10 * time.Second
	}
	if options.MaxRequests == 0 {
		options.MaxRequests = 1_000_000
	}
	if options.MaxTime == 0 {
		options.MaxTime = 10 * time.Minute
	}
	return &Load{options: options}, nil
}

// Start starts the clients. They run until Stop, the end of ctx or one of the bounds;
// running requests are finished first. It may be called once.
func (l *Load) Start(ctx context.Context) {
	ctx, l.cancel = context.WithTimeout(ctx, l.options.MaxTime)
	l.tally.begin(l.options.MaxRequests)
	for i := range l.options.KeepAlive + l.options.Fresh {
		c := &client{addr: l.options.Addr, dial: l.options.Dial, timeout: l.options.Timeout, keep: i < l.options.KeepAlive}
		l.clients.Go(func() { l.drive(ctx, c, i) })
	}
}

func (l *Load) drive(ctx context.Context, c *client, turn int) {
	defer c.close()
	interval := time.Duration(float64(time.Second) / l.options.Rate)
	// A random first delay keeps the clients from running in step.
	next := time.NewTimer(rand.N(interval + 1))
	defer next.Stop()
	for ; ; turn++ {
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
		// If both the timer and the end are ready, select picks either.
		if ctx.Err() != nil || !l.tally.claim() {
			return
		}
		began := time.Now()
		next.Reset(interval)
		target := l.options.Targets[turn%len(l.options.Targets)]
		a, err := c.get(target)
		failure, failed := l.tally.add(began, target, a, err)
		if failed && l.options.Failed != nil {
			l.options.Failed(failure)
		}
	}
}

// Result returns what has been counted so far.
func (l *Load) Result() Result { return l.tally.result() }

// Stop ends the clients, waits until their last requests are done, and returns the
// result. It may be called twice; Start must have been called.
func (l *Load) Stop() Result {
	l.cancel()
	l.clients.Wait()
	l.tally.end()
	return l.tally.result()
}
