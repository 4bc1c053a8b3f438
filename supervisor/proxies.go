package supervisor

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Proxy is one proxy as the set keeps it running.
type Proxy struct {
	Name string
	// Run serves the proxy until ctx is done, and returns when nothing of it is
	// left. It calls started once the proxy serves.
	Run func(ctx context.Context, started func()) error
}

// Proxies is a set of named proxies, each running on its own: one that fails is
// started again with backoff and never ends another.
type Proxies struct {
	log *slog.Logger
	set []Proxy
}

// NewProxies returns a set that waits to be run.
func NewProxies(log *slog.Logger, set []Proxy) *Proxies {
	return &Proxies{log: log, set: set}
}

// settledAfter is how long a proxy must have served for its backoff to start anew.
const settledAfter = time.Minute

// Run keeps the proxies running until ctx is done and all of them have ended.
// A proxy that cannot work at its first start ends the set: its error is returned.
func (p *Proxies) Run(ctx context.Context) error {
	set, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var running sync.WaitGroup
	for _, proxy := range p.set {
		running.Go(func() {
			if err := p.keep(set, proxy); err != nil {
				fail(fmt.Errorf("proxy %s: %w", proxy.Name, err))
			}
		})
	}
	<-set.Done()
	running.Wait()
	if cause := context.Cause(set); cause != context.Cause(ctx) { //nolint:errorlint // identity: a cause that is no failure is that of ctx
		return cause
	}
	return nil
}

// keep runs one proxy again and again. It returns an error when the first start fails.
func (p *Proxies) keep(ctx context.Context, proxy Proxy) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = 500*time.Millisecond, 30*time.Second, 2
	served := false
	for {
		begun := time.Now()
		err := proxy.Run(ctx, func() { served = true })
		switch {
		case ctx.Err() != nil:
			if err != nil {
				p.log.Error("a proxy did not stop cleanly", "proxy", proxy.Name, "error", err)
			}
			return nil
		case !served:
			return err
		}
		if time.Since(begun) > settledAfter {
			pause.Reset()
		}
		wait := pause.NextBackOff()
		p.log.Error("a proxy ended, it does not serve until it is started again", "proxy", proxy.Name, "retry_in", wait.Round(time.Millisecond), "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}
