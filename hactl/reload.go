package hactl

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// replaceDead requests the replacement of a dead worker.
func (c *Controller) replaceDead(pid int) {
	if c.fleet.forgetDead(pid) {
		c.restore(CauseDied)
	}
}

// restore requests an urgent reload that replaces workers; until it is done the proxy
// is not ready.
func (c *Controller) restore(cause Cause) {
	if c.reloads.demand(cause, c.opts.clock()) {
		c.setProblem(string(cause))
	}
}

// reloadDue performs the reloads that are due.
func (c *Controller) reloadDue(ctx context.Context) {
	if s := c.desired.change; s != nil && !s.rendered && ctx.Err() == nil {
		s.rendered = !c.regroup(ctx, s)
	}
	cause := c.due()
	if cause == CauseConfiguration && ctx.Err() == nil {
		c.convert(ctx, c.desired.change, CauseConfiguration)
		cause = c.due()
	}
	if cause != "" && cause != CauseConfiguration && ctx.Err() == nil {
		c.reload(ctx, cause)
	}
}

// reload replaces the generation, and how groups get their servers if that has to change.
func (c *Controller) reload(ctx context.Context, cause Cause) {
	if change, err := c.recarried(ctx); err == nil && change != nil { // replaceGeneration meets the same error
		c.convert(ctx, change, cause)
		return
	}
	_ = c.replaceGeneration(ctx, cause) // it logs the error and schedules the retry itself
	c.publish()
}

// due returns the cause of the reload that is due; empty if none is.
func (c *Controller) due() Cause {
	now := c.opts.clock()
	if at := c.reloads.next(); at.IsZero() || at.After(now) {
		return ""
	}
	before := c.reloads.postponed
	cause := c.reloads.due(now, c.opts.Reloader.Crowded())
	if c.reloads.postponed && !before {
		c.opts.Logger.Warn("too many old generations still draining, delaying the next reload", "at_most", crowdedGap-now.Sub(c.reloads.last).Round(time.Second))
	}
	return cause
}

// replaceGeneration renders the desired state and makes it the running configuration. Until it
// returns, only departures are sent to the serving workers. On error it is retried
// later.
func (c *Controller) replaceGeneration(ctx context.Context, cause Cause) error {
	dropped, restored := c.desired.dropEmptied(), c.desired.grow()
	if dropped || restored {
		c.publish()
	}
	if len(c.fleet.workers) > 0 {
		c.resync(ctx) // to learn the latest health and overrides
	}
	for _, g := range c.desired.groups {
		g.table.Trust()
		g.markRamps(c.fleet.workers)
	}
	runs := c.reloads.serving() && !c.reloads.urgent
	pids, tables, err := c.launch(ctx, cause)
	died := false
	if err == nil {
		runs = false // except as something to adopt
		for _, t := range tables {
			t.Renew()
		}
		died, err = c.fleet.adoptWorkers(ctx, pids, c.desired.rendition())
		c.fleet.inheritUnread()
	}
	if err == nil || len(c.fleet.workers) > 0 { // otherwise the next attempt has only these marks
		for _, g := range c.desired.groups {
			g.table.Ramp(nil)
		}
	}
	if err != nil {
		err = c.ofVersions(err)
		c.failed(ctx, cause, runs, err)
		return err
	}
	c.opts.Report(registry.Event{Kind: registry.EventReload, Reason: string(cause), Detail: fmt.Sprintf("workers %v", pids)})
	c.succeeded(ctx, cause, died)
	return nil
}

// failed is called after a failed reload. runs is true while the previous generation is
// serving with all its workers.
func (c *Controller) failed(ctx context.Context, cause Cause, runs bool, err error) {
	wait, first := c.reloads.failed(cause, err, c.opts.clock())
	c.fleet.retryFailed()
	if ctx.Err() != nil {
		return
	}
	c.launchEnded(cause, err.Error())
	text := fmt.Sprintf("the last reload (%s) did not succeed: %v", cause, err)
	if runs {
		c.reloads.failure = text // no reason to route requests elsewhere
	} else {
		c.setProblem(text)
	}
	if first {
		c.opts.Report(registry.Event{Kind: registry.EventReloadFailed, Reason: string(cause), Detail: err.Error()})
	}
	c.logFailed(cause, wait, err)
}

// succeeded is called after another generation has started to serve.
func (c *Controller) succeeded(ctx context.Context, cause Cause, died bool) {
	c.desired.accept()
	c.fleet.runningVersion = c.desired.layout.Frame.Version
	if !c.reloads.serving() || c.desired.startProblem != "" {
		c.desired.startProblem = c.desired.allQuarantined()
	}
	c.reloads.done(cause, c.opts.clock())
	c.launchEnded(cause, "")
	shared := !c.fleet.unread.none()
	c.fleet.unread = late{}
	if c.desired.readmit() {
		c.reloads.ask(CauseGroups, c.opts.clock())
	}
	c.setProblem(c.desired.startProblem)
	if attrs, ended := c.reloads.failures.Over(c.opts.clock()); ended {
		c.opts.Logger.With(attrs...).Info("reloads succeed again", "cause", cause)
	}
	if died {
		c.restore(CauseDied)
	}
	if shared {
		// Departures sent to the old workers may have reached a new one too; such an
		// instance must not enter again.
		c.absorb(ctx)
		c.assign(ctx)
	}
	// Servers rendered as disabled get their state first.
	c.apply(ctx, c.desired.groups)
}

// logFailed logs why a reload failed.
func (c *Controller) logFailed(cause Cause, wait time.Duration, err error) {
	if cause == CauseStart {
		return // the caller of Run logs it
	}
	attrs, due := c.reloads.failures.Failed(c.opts.clock(), err.Error())
	level := slog.LevelDebug
	if due {
		level = slog.LevelError
	}
	c.opts.Logger.With(attrs...).Log(context.Background(), level, "reload failed, running generation unchanged, will retry", "cause", cause, "retry_in", wait.Round(time.Millisecond), "error", err)
}
