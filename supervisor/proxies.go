package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// ErrEnded is what [Proxies.Set] returns once the set is being stopped.
var ErrEnded = errors.New("the proxies are being stopped")

// Proxy is one proxy as the set keeps it running.
type Proxy struct {
	Name string
	// Fingerprint stands for all that makes the proxy what it is: one with the
	// same name and fingerprint is the same.
	Fingerprint string
	// Run serves the proxy until ctx is done, and returns when nothing of it is
	// left. It calls started once the proxy serves.
	Run func(ctx context.Context, started func()) error
	// Change makes the proxy that runs under this name this one, without ending
	// it; it does not block, and that one's Run goes on being the one that is
	// called. When it is nil, that one is stopped, and this one started after it.
	Change func()
}

// Proxies is a set of named proxies, each running on its own: one that fails is
// started again with backoff and never ends another.
type Proxies struct {
	log   *slog.Logger
	first []Proxy
	sets  chan setting
	over  chan struct{} // closed when Run takes no more sets
}

// NewProxies returns a set that waits to be run.
func NewProxies(log *slog.Logger, set []Proxy) *Proxies {
	return &Proxies{log: log, first: set, sets: make(chan setting), over: make(chan struct{})}
}

// Changes are the names of the proxies by what [Proxies.Set] did to them.
type Changes struct{ Added, Removed, Changed, Unchanged []string }

type setting struct {
	set   []Proxy
	reply chan<- Changes
}

// member is a proxy of the set, or the last one of its name that was.
type member struct {
	Proxy
	stop    context.CancelFunc
	ended   chan struct{}
	hasten  chan struct{} // a value ends a pause
	removed bool
}

// settledAfter is how long a proxy must have served for its backoff to start anew.
const settledAfter = time.Minute

// Run keeps the proxies running until ctx is done and all of them have ended.
// One that cannot work at its first start ends the set, and its error is
// returned, unless it came by [Proxies.Set]. Run is called once.
func (p *Proxies) Run(ctx context.Context) error {
	all, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var running sync.WaitGroup
	members := make(map[string]*member)
	start := func(proxy Proxy, mustStart bool) {
		before := members[proxy.Name]
		ctx, stop := context.WithCancel(all)
		m := &member{Proxy: proxy, stop: stop, ended: make(chan struct{}), hasten: make(chan struct{}, 1)}
		members[proxy.Name] = m
		running.Go(func() {
			defer close(m.ended)
			defer stop()
			if before != nil {
				<-before.ended
			}
			if err := p.keep(ctx, m, mustStart); err != nil {
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
			s.reply <- change(members, s.set, func(proxy Proxy) { start(proxy, false) })
		case <-all.Done():
		}
	}
	close(p.over)
	running.Wait()
	if cause := context.Cause(all); cause != context.Cause(ctx) { //nolint:errorlint // identity: a cause that is no failure is that of ctx
		return cause
	}
	return nil
}

// Set makes the set this one: proxies that are as they were are not touched, new
// ones start, others of a name that is there change or are replaced, and those
// whose names are missing stop. It does not wait until that has happened. The
// only errors are [ErrEnded] and that of ctx; then nothing has changed.
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

// change makes the members those of set; the new ones are started.
func change(members map[string]*member, set []Proxy, start func(Proxy)) Changes {
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
			case m.hasten <- struct{}{}:
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

// keep runs one proxy again and again. With mustStart it returns an error when
// the first start fails.
func (p *Proxies) keep(ctx context.Context, proxy *member, mustStart bool) error {
	pause := backoff.NewExponentialBackOff()
	// Half as much more or less is at random: 30 s at most.
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = 500*time.Millisecond, 20*time.Second, 2
	served := !mustStart
	for ctx.Err() == nil {
		begun := time.Now()
		select {
		case <-proxy.hasten: // what it asked for is what runs now
		default:
		}
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
		case <-proxy.hasten:
			pause.Reset()
		case <-time.After(wait):
		}
	}
	return nil
}
