package hactl

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// bury forgets a worker that died, whose socket may still accept and hang, and
// has it replaced. One that a reload has replaced already is nobody's loss.
func (c *Controller) bury(pid int) {
	i := slices.IndexFunc(c.workers, func(w *worker) bool { return w.pid == pid })
	if i >= 0 {
		c.workers = slices.Delete(c.workers, i, i+1)
		c.restore("worker died")
	}
}

// restore asks for an urgent reload. A generation that lived only shortly is
// replaced with backoff.
func (c *Controller) restore(cause string) {
	if c.reloadCause == cause {
		return
	}
	if time.Since(c.reloaded) > settled {
		c.backoff.Reset()
		c.reloadAt = time.Now()
	} else {
		c.reloadAt = time.Now().Add(c.backoff.NextBackOff())
	}
	c.reloadCause, c.urgent = cause, true
	c.setProblem(cause)
}

// due tells whether the time of a reload has come. One that is not urgent is put
// off while earlier generations crowd.
func (c *Controller) due(at *time.Time) bool {
	now := time.Now()
	if at.After(now) {
		return false
	}
	if c.urgent || now.Sub(c.reloaded) >= crowdedGap || !c.Reloader.Crowded() {
		return true
	}
	if !c.postponed {
		c.postponed = true
		c.Logger.Warn("too many replaced generations still finish their connections, the next reload waits", "at_most", crowdedGap-now.Sub(c.reloaded).Round(time.Second))
	}
	*at = now.Add(crowdedRetry)
	return false
}

// reload renders what is wanted now and makes it the running configuration.
// Until it returns no command is sent. On error it is wanted again, later.
func (c *Controller) reload(ctx context.Context, cause string) error {
	c.dropEmptied()
	for _, g := range c.laid() {
		// Slots on which sessions still run are no room: once may not be enough.
		for unplaced := g.table.Assign(g.meant); unplaced > 0; unplaced = g.table.Assign(g.meant) {
			g.table.Grow(unplaced)
		}
	}
	c.settle()
	c.remember()
	if len(c.workers) > 0 {
		c.sweep(ctx) // for what is down, and what operators did
	}
	for _, g := range c.groups {
		g.table.believe()
	}
	runs := !c.reloaded.IsZero() && !c.urgent
	pids, tables, err := c.launch(ctx, cause)
	died := false
	if err == nil {
		runs = false // but what is to be adopted
		for _, t := range tables {
			t.Renew()
		}
		died, err = c.adopt(ctx, pids)
		for _, w := range c.workers {
			// The sockets are handed on, and with them what a worker that hung has
			// not read: the new ones run it before anything else.
			w.late, w.stale = c.unread.clone(), !c.unread.none()
		}
	}
	if err != nil {
		wait := c.backoff.NextBackOff()
		c.reloadCause, c.reloadAt = cause, time.Now().Add(wait)
		for _, w := range c.workers {
			// It is not replaced after all, and may have come back.
			w.failures = min(w.failures, maxFailures-1)
		}
		if ctx.Err() == nil {
			text := fmt.Sprintf("the last reload (%s) did not succeed: %v", cause, err)
			if runs {
				c.reloadError = text // which is no reason to send requests elsewhere
			} else {
				c.setProblem(text)
			}
			c.tellFailed(cause, wait, err)
		}
		return err
	}
	if !c.urgent {
		c.backoff.Reset() // else that is for a generation that lives longer
	}
	c.accept()
	if c.reloaded.IsZero() || c.startProblem != "" {
		c.startProblem = c.allBanned()
	}
	c.reloadCause, c.urgent, c.postponed, c.reloaded = "", false, false, time.Now()
	c.unread = late{}
	c.reloadError = ""
	c.readmit()
	c.setProblem(c.startProblem)
	if c.failing != "" {
		c.failing = ""
		c.Logger.Info("reloads succeed again", "cause", cause)
	}
	if died {
		c.restore("worker died")
	}
	// What was rendered disabled gets its state now, before anything else.
	c.apply(ctx)
	return nil
}

// tellFailed tells why a reload failed, once while that is the reason.
func (c *Controller) tellFailed(cause string, wait time.Duration, err error) {
	if cause == "start" {
		return // whoever starts it tells
	}
	reason := strings.Map(withoutDigits, err.Error())
	level := slog.LevelError
	if reason == c.failing {
		level = slog.LevelDebug
	}
	c.failing = reason
	c.Logger.Log(context.Background(), level, "cannot reload, what runs goes on unchanged; it is tried again until it succeeds", "cause", cause, "retry_in", wait.Round(time.Millisecond), "error", err)
}

// withoutDigits leaves out what HAProxy's words differ in each time: pids, times.
func withoutDigits(r rune) rune {
	if '0' <= r && r <= '9' {
		return -1
	}
	return r
}

// adopt takes the workers of a new generation in place of those before, which were
// told to finish. Until the old ones have stopped listening, either may answer on a
// socket that they share. One that has died meanwhile answers never: it is left out.
func (c *Controller) adopt(ctx context.Context, pids []int) (died bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, adoptWithin)
	defer cancel()
	lives := c.deaths.watch(pids)
	living, sockets := slices.Clone(pids), map[int]string(nil)
	for len(living) > 0 {
		var dead int
		if sockets, dead, err = c.probe(ctx, living); dead == 0 {
			break
		}
		living = slices.DeleteFunc(living, func(pid int) bool { return pid == dead })
	}
	if err == nil && len(sockets) < len(living) {
		err = ctx.Err()
	}
	if err != nil {
		err = fmt.Errorf("find the sockets of the new workers %v: only %v answered: %w", living, sockets, err)
	}
	c.workers = nil
	for _, pid := range living {
		if path, answered := sockets[pid]; answered {
			c.workers = append(c.workers, &worker{pid: pid, life: lives[pid], client: Client{Path: path, Timeout: c.Timeout}, have: c.rendered()})
		}
	}
	return len(living) < len(pids), err
}

// probe is [Prober.Probe] that ends when one of the processes has died.
func (c *Controller) probe(ctx context.Context, pids []int) (sockets map[int]string, dead int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	probed := make(chan struct{})
	go func() {
		defer close(probed)
		sockets, err = Prober{Sockets: c.Frame.Sockets, Timeout: c.Timeout}.Probe(ctx, pids)
	}()
	for {
		select {
		case <-probed:
			return sockets, 0, err
		case pid := <-c.deaths.heard:
			if slices.Contains(pids, pid) {
				cancel()
				<-probed
				return nil, pid, nil
			}
		}
	}
}

// laid are the groups that are not left out of the configuration; whoever asks changes
// nothing of it.
func (c *Controller) laid() []*group {
	if !slices.ContainsFunc(c.groups, func(g *group) bool { return g.aside }) {
		return c.groups
	}
	return slices.DeleteFunc(slices.Clone(c.groups), func(g *group) bool { return g.aside })
}

// layout is what the configuration is rendered from.
func (c *Controller) layout() (backends []Backend, tables []*Table) {
	for _, g := range c.laid() {
		backends, tables = append(backends, g.backend), append(tables, g.table)
	}
	return backends, tables
}

// rendered is what a worker has that just started from the rendered tables.
func (c *Controller) rendered() map[*group][]Server {
	have := make(map[*group][]Server, len(c.groups))
	for _, g := range c.laid() {
		have[g] = make([]Server, len(g.table.Slots))
		for i, s := range g.table.Slots {
			have[g][i] = Server{Admin: Maint}
			if s.written() {
				have[g][i].Addr = s.Addr
				if s.serves() {
					have[g][i].Admin = Ready
				}
			}
		}
	}
	return have
}
