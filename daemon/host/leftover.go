package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// serving is an HAProxy that no haproxy-zk manages.
type serving struct {
	RecordedProxy
	pids []int
}

// leftServing returns the HAProxys that are running without a haproxy-zk: those of the
// last record, or else those of the configuration.
func (h *Host) leftServing() ([]serving, error) {
	r, found, err := ReadRecord(h.opts.RunDir)
	if err != nil {
		return nil, err
	}
	if !found {
		cfg, _, err := h.opts.Configuration()
		if err != nil {
			return nil, fmt.Errorf("no haproxy-zk has run in %s, and the configuration that would name its HAProxy cannot be used: %w", h.opts.RunDir, err)
		}
		for _, p := range cfg.Proxies {
			r.Proxies = append(r.Proxies, RecordedProxy{p.Name, p.ConfFile, p.PIDFile, p.SocketFiles, p.StopGrace})
		}
	}
	return h.servingOf(r), nil
}

// servingOf returns the running HAProxys of a record.
func (h *Host) servingOf(r Record) (left []serving) {
	log := h.opts.Logger.With("component", "supervisor")
	for _, p := range r.Proxies {
		if pids := supervisor.Running(log, p.ConfFile, p.PIDFile); len(pids) > 0 {
			left = append(left, serving{p, pids})
		}
	}
	return left
}

func pidsOf(left []serving) []int {
	var all []int
	for _, l := range left {
		all = append(all, l.pids...)
	}
	slices.Sort(all)
	return all
}

func joined(pids []int) string { return strings.Trim(fmt.Sprint(pids), "[]") }

// stopLeft stops HAProxys that no haproxy-zk manages, all at once and as haproxy-zk
// would: their connections finish within stop_grace.
func (h *Host) stopLeft(ctx context.Context, out io.Writer, left []serving) error {
	logger := h.opts.Logger
	reaper, stop, err := supervisor.StartReaper(logger)
	if err != nil {
		return err
	}
	defer stop()
	metrics := supervisor.NewMetrics(prometheus.NewRegistry())
	ended := make(chan error, len(left))
	asked, ask := context.WithCancel(ctx)
	ask()
	for _, l := range left {
		haproxy := supervisor.New(supervisor.Options{
			Proxy: l.Name, ConfFile: l.ConfFile, PIDFile: l.PIDFile, Sockets: l.SocketFiles, StopGrace: l.StopGrace,
			Reaper: reaper, Logger: logger, Metrics: metrics,
		})
		go func() {
			err := haproxy.Run(asked)
			if err != nil {
				err = fmt.Errorf("proxy %s: %w", l.Name, err)
			}
			ended <- err
		}()
	}
	var problems []error
	for range left {
		problems = append(problems, <-ended)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "HAProxy (pids %s) has ended\n", joined(pidsOf(left)))
	return err
}
