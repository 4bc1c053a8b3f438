package daemon

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	oklog "github.com/oklog/run"

	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// proxy is one proxy. Its plan may change while it runs, provided that HAProxy's
// executable and files stay the same.
type proxy struct {
	*factory
	entry   *entry
	plan    atomic.Pointer[plan.Plan]
	changed chan struct{}
}

func newProxy(r *factory, pl *plan.Plan) *proxy {
	p := &proxy{factory: r, entry: r.directory.entry(pl.Name), changed: make(chan struct{}, 1)}
	p.plan.Store(pl)
	return p
}

// change sets another plan, which must fit. It does not block.
func (p *proxy) change(pl *plan.Plan) {
	p.plan.Store(pl)
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// run serves the proxy until ctx is done:
//
//	sources ──▶ controller ──▶ haproxy
//
// Each change of the plan replaces the sources.
func (p *proxy) run(ctx context.Context, started func()) error {
	select {
	case <-p.changed:
	default:
	}
	pl := p.plan.Load()
	log := p.log.With("proxy", pl.Name)
	for _, file := range append([]string{pl.ConfFile, pl.PIDFile}, pl.SocketFiles...) {
		if err := plan.MakeFolder(pl.Name, filepath.Dir(file)); err != nil {
			return err
		}
	}
	collector := p.collector(pl.Name, log)
	haproxy := p.haproxy(pl, collector, log)
	controller := p.controller(pl, haproxy, collector, log)
	collector.Follow(controller)
	defer p.stats.Forget(pl.Name)
	lines := &haproxyLines{
		log: p.opts.HAProxyLogger.With("proxy", pl.Name), take: func(l supervisor.LogLine) bool {
			controller.LogLine(l.Text, l.Severity)
			return p.opts.takeRequest(pl.Name, l)
		},
		foreign: func() { p.supervisor.ForeignLog(pl.Name) },
	}
	defer lines.close()
	if err := lines.listen(pl.LogSocket, pl.WorkerUID()); err != nil {
		return err
	}

	// The cause distinguishes a failure of this proxy from a stop.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	interrupt := func(err error) { cancel(err) }
	var g oklog.Group
	g.Add(func() error { return ended(log, "haproxy", haproxy.Run(ctx)) }, interrupt)
	g.Add(func() error { return ended(log, "controller", controller.Run(ctx, started)) }, interrupt)
	now := p.follow(pl, controller, log, nil)
	now.useCache(p.opts.StartWait)
	now.keep()
	p.entry.put(&live{controller, haproxy, now, collector})
	p.directory.noteChange()
	g.Add(func() error {
		return p.followPlan(ctx, now, controller, log, func(pl *plan.Plan) {
			haproxy.SetLimits(pl.StopGrace, pl.HardStopAfter, pl.ListenerHold)
			if err := lines.listen(pl.LogSocket, pl.WorkerUID()); err != nil {
				log.Error("cannot listen for HAProxy's log, its lines are lost", "error", err)
			}
		})
	}, interrupt)
	return g.Run()
}

// followPlan keeps the sources in line with the plan: new ones replace the old ones
// once they have read everything. prepare is called with each new plan.
func (p *proxy) followPlan(ctx context.Context, now *following, controller *hactl.Controller, log *slog.Logger, prepare func(*plan.Plan)) (err error) {
	var next *following
	var in <-chan struct{}
	defer func() {
		if next != nil {
			_ = next.stop() // its error is reported as the proxy's
		}
		err = now.stop()
	}()
	take := func() {
		log.Info("registrations were read for the new configuration")
		if err := now.stop(); err != nil {
			log.Warn("sources of the old configuration did not stop cleanly", "error", err)
		}
		now, next, in = next, nil, nil
		now.keep()
		p.entry.follow(now)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-now.ended:
			now.ended <- err
			return err
		case <-p.changed:
			pl := p.plan.Load()
			prepare(pl)
			source := controller.Stage(pl.Layout(p.reaper))
			select {
			case <-in:
				take() // the previous one is already in use, until this one is complete
			default:
				if next != nil {
					_ = next.stop() // it was never used, and cannot be any more
				}
			}
			next, in = p.follow(pl, source, log, now), source.In()
		case <-in:
			take()
		}
	}
}
