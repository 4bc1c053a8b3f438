package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

// ErrEnded is returned by [Proxies.Set] once the set is being stopped.
var ErrEnded = errors.New("the proxies are being stopped")

// Proxy is one proxy of the set.
type Proxy struct {
	Name string
	// Fingerprint stands for the whole configuration of the proxy: the same name and
	// fingerprint mean the same proxy.
	Fingerprint string
	// Run serves the proxy until ctx is done, and returns when nothing of it remains. It
	// calls started once the proxy serves.
	Run func(ctx context.Context, started func()) error
	// Change turns the running proxy of this name into this one without ending it: that
	// proxy's Run continues. It does not block. If Change is nil, that proxy is stopped
	// and this one is started afterwards.
	Change func()
}

// Proxies is a set of named proxies that run independently: one that fails is
// restarted with backoff and never ends another.
type Proxies struct {
	log   *slog.Logger
	first []Proxy
	sets  chan setting
	over  chan struct{} // closed when Run accepts no more sets
}

// NewProxies returns a set that is ready for Run.
func NewProxies(log *slog.Logger, set []Proxy) *Proxies {
	return &Proxies{log: log, first: set, sets: make(chan setting), over: make(chan struct{})}
}

// Changes are the names of the proxies, by what [Proxies.Set] did to them.
type Changes struct{ Added, Removed, Changed, Unchanged []string }

type setting struct {
	set   []Proxy
	reply chan<- Changes
}

// member is a proxy of the set, or the last one that had its name.
type member struct {
	Proxy
	stop     context.CancelFunc
	ended    chan struct{}
	startNow chan struct{} // a value ends a pause
	removed  bool
}

// settledAfter is how long a proxy must have served for its backoff to be reset.
const settledAfter = time.Minute

// Run keeps the proxies running until ctx is done and all of them have ended. If a
// proxy fails before it has ever served, the set ends and Run returns the error, except
// for proxies added by [Proxies.Set]. Call Run once.
func (p *Proxies) Run(ctx context.Context) error {
	all, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var running sync.WaitGroup
	members := make(map[string]*member)
	start := func(proxy Proxy, mustStart bool) {
		before := members[proxy.Name]
		ctx, stop := context.WithCancel(all)
		m := &member{Proxy: proxy, stop: stop, ended: make(chan struct{}), startNow: make(chan struct{}, 1)}
		members[proxy.Name] = m
		running.Go(func() {
			defer close(m.ended)
			defer stop()
			if before != nil {
				<-before.ended
			}
			if err := p.superviseProxy(ctx, m, mustStart); err != nil {
				fail(fmt.Errorf("proxy %s: %w", proxy.Name, err))
			}
		})
	}
	for _, proxy := range p.first {
		start(proxy, true)
	}
	for all.Err() == nil {
		select {
		case s := <-p.sets:
			s.reply <- applySet(members, s.set, func(proxy Proxy) { start(proxy, false) })
		case <-all.Done():
		}
	}
	close(p.over)
	running.Wait()
	if cause := context.Cause(all); cause != context.Cause(ctx) { //nolint:errorlint // identity: without a failure the cause is that of ctx
		return cause
	}
	return nil
}

// Set replaces the set: unchanged proxies are not touched, new ones start, those with a
// known name change or are replaced, and those missing from set stop. It does not wait
// until that has happened. The only errors are [ErrEnded] and that of ctx; then nothing
// has changed.
func (p *Proxies) Set(ctx context.Context, set []Proxy) (Changes, error) {
	reply := make(chan Changes, 1)
	select {
	case p.sets <- setting{set, reply}:
		return <-reply, nil
	case <-p.over:
		return Changes{}, ErrEnded
	case <-ctx.Done():
		return Changes{}, ctx.Err()
	}
}

// applySet turns the members into those of set and starts the new ones.
func applySet(members map[string]*member, set []Proxy, start func(Proxy)) Changes {
	var done Changes
	wanted := make(map[string]bool, len(set))
	for _, proxy := range set {
		wanted[proxy.Name] = true
		switch m := members[proxy.Name]; {
		case m == nil || m.removed:
			done.Added = append(done.Added, proxy.Name)
			start(proxy)
		case m.Fingerprint == proxy.Fingerprint:
			done.Unchanged = append(done.Unchanged, proxy.Name)
		case proxy.Change != nil:
			done.Changed = append(done.Changed, proxy.Name)
			m.Fingerprint = proxy.Fingerprint
			proxy.Change()
			select {
			case m.startNow <- struct{}{}:
			default:
			}
		default:
			done.Changed = append(done.Changed, proxy.Name)
			m.stop()
			start(proxy)
		}
	}
	for name, m := range members {
		if !wanted[name] && !m.removed {
			done.Removed = append(done.Removed, name)
			m.removed = true
			m.stop()
		}
	}
	slices.Sort(done.Removed)
	return done
}

// superviseProxy restarts one proxy until ctx is done. With mustStart it returns an
// error if the first start fails.
func (p *Proxies) superviseProxy(ctx context.Context, proxy *member, mustStart bool) error {
	pause := retry.Backoff(500*time.Millisecond, 30*time.Second)
	served := !mustStart
	failing := &restarts{settled: settledAfter, over: func(attrs []any) {
		p.log.With(attrs...).Info("proxy has not failed again", "proxy", proxy.Name)
	}}
	for ctx.Err() == nil {
		begun := time.Now()
		select {
		case <-proxy.startNow: // this run already has the change
		default:
		}
		ended := failing.begun()
		err := proxy.Run(ctx, func() { served = true })
		ended()
		switch {
		case ctx.Err() != nil:
			if err != nil {
				p.log.Error("proxy did not stop cleanly", "proxy", proxy.Name, "error", err)
			}
			return nil
		case !served:
			return err
		}
		if time.Since(begun) > settledAfter {
			pause.Reset()
		}
		wait := pause.NextBackOff()
		if attrs, due := failing.failed(fmt.Sprint(err)); due {
			p.log.With(attrs...).Error("proxy failed, not serving until restarted", "proxy", proxy.Name, "retry_in", wait.Round(time.Millisecond), "error", err)
		}
		select {
		case <-ctx.Done():
		case <-proxy.startNow:
			pause.Reset()
		case <-time.After(wait):
		}
	}
	return nil
}
