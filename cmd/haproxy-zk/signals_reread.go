package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// rereading reads the configuration again when it is asked to. Whatever can be
// wrong with it is found before anything that runs is touched.
type rereading struct {
	settings settings
	log      *slog.Logger
	reaper   *supervisor.Reaper
	// take makes these plans the running ones.
	take   func(context.Context, []*plan) (supervisor.Changes, error)
	wanted chan struct{}
	total  *prometheus.CounterVec
	// systemd is told when a reading begins and ends.
	systemd notifier
}

func newRereading(s settings, log *slog.Logger, reg prometheus.Registerer, reaper *supervisor.Reaper,
	take func(context.Context, []*plan) (supervisor.Changes, error),
) *rereading {
	r := &rereading{
		settings: s, log: log, reaper: reaper, take: take, wanted: make(chan struct{}, 1),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haproxyzk_configuration_reads_total",
			Help: "How often the configuration was read again, by result: ok, or error and nothing has changed.",
		}, []string{"result"}),
	}
	for _, result := range []string{"ok", "error"} {
		r.total.WithLabelValues(result)
	}
	reg.MustRegister(r.total)
	return r
}

// ask has the configuration read again. It does not block; what is asked while
// another reading waits is that one.
func (r *rereading) ask() {
	select {
	case r.wanted <- struct{}{}:
	default:
	}
}

// run reads when it is asked to, until ctx is done.
func (r *rereading) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wanted:
			r.reread(ctx)
		}
	}
}

func (r *rereading) reread(ctx context.Context) {
	_ = r.systemd.reloading()
	defer func() { _ = r.systemd.ready() }()
	done, err := r.change(ctx)
	if ctx.Err() != nil || errors.Is(err, supervisor.ErrEnded) {
		r.log.Info("the configuration was not taken: all is being stopped")
		return
	}
	if err != nil {
		r.total.WithLabelValues("error").Inc()
		for _, problem := range problemsOf(err) {
			r.log.Error("the configuration is wrong", "problem", problem)
		}
		r.log.Error("the configuration was not taken, nothing has changed", "config", r.settings.Config)
		return
	}
	r.total.WithLabelValues("ok").Inc()
	r.log.Info("the configuration was read again", "config", r.settings.Config,
		"added", done.Added, "removed", done.Removed, "changed", done.Changed, "unchanged", done.Unchanged)
}

func (r *rereading) change(ctx context.Context) (supervisor.Changes, error) {
	cfg, warnings, err := r.settings.configuration()
	for _, w := range warnings {
		r.log.Warn("configuration", "problem", w.String())
	}
	if err != nil {
		return supervisor.Changes{}, err
	}
	plans, err := newPlans(ctx, &r.settings, r.reaper, cfg)
	problems := []error{err}
	for _, pl := range plans {
		if _, err := askHAProxy(ctx, r.reaper, pl, pl.render()); err != nil {
			problems = append(problems, fmt.Errorf("%s: HAProxy refuses the configuration: %w", pl.Name, err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return supervisor.Changes{}, err
	}
	return r.take(ctx, plans)
}

// problemsOf takes an error that tells several things apart.
func problemsOf(err error) []string {
	problems, isProblems := errors.AsType[*config.Problems](err)
	if !isProblems {
		return sentences(err)
	}
	var all []string
	for _, p := range *problems {
		all = append(all, p.String())
	}
	return all
}
