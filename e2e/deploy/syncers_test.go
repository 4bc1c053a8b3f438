package deploy

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

// syncers are what many load balancers on one ensemble are for ZooKeeper, without their
// HAProxys: as many processes would need another machine.
type syncers struct {
	t        *testing.T
	ensemble *rig.Ensemble
	metrics  *prometheus.Registry
	all      []*watcher
}

// watcher is one of them, and the sink of its lists.
type watcher struct {
	syncer *syncer.Syncer
	mu     sync.Mutex
	sizes  map[string]int // instances by group
	backs  []time.Time    // when it was connected again
}

func (w *watcher) SetGroup(g registry.Group) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sizes[g.Name] = len(g.Instances)
}

func (w *watcher) SetGroups(registry.Discovered) {}

func (w *watcher) report(e registry.Event) {
	if e.Kind != registry.EventZooKeeperBack {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.backs = append(w.backs, time.Now())
}

// size returns the number of instances of a group.
func (w *watcher) size(group string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sizes[group]
}

// back returns when it was connected again after a time; zero if it was not.
func (w *watcher) back(after time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, at := range w.backs {
		if at.After(after) {
			return at
		}
	}
	return time.Time{}
}

// newSyncers starts n of them, which discover the groups below /services. They read
// nothing without a reason.
func newSyncers(t *testing.T, ensemble *rig.Ensemble, n int) *syncers {
	t.Helper()
	s := &syncers{t: t, ensemble: ensemble, metrics: prometheus.NewRegistry()}
	metrics := syncer.NewMetrics(s.metrics)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	for i := range n {
		w := &watcher{sizes: make(map[string]int)}
		w.syncer = syncer.New(syncer.Options{
			Proxy: fmt.Sprint("balancer-", i), Servers: strings.Split(ensemble.Addr(), ","), SafetyReread: time.Hour,
			Discover: &syncer.Discovery{Parent: "/services", Path: func(group string) string { return "/services/" + group + "/instances" }},
			Sink:     w, Report: w.report, Metrics: metrics, Logger: slog.New(slog.DiscardHandler),
		})
		running.Go(func() {
			if err := w.syncer.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		s.all = append(s.all, w)
	}
	return s
}

// have waits until each of them has so many instances of a group, and returns how long
// that took.
func (s *syncers) have(group string, want int) time.Duration {
	s.t.Helper()
	began := time.Now()
	eventually(s.t, fmt.Sprintf("all have %d of %s", want, group), func() error {
		for i, w := range s.all {
			if got := w.size(group); got != want {
				return fmt.Errorf("%d has %d", i, got)
			}
		}
		return nil
	})
	return time.Since(began)
}

// requests returns how many answers of ZooKeeper all of them together have got, by
// operation.
func (s *syncers) requests() map[string]int {
	s.t.Helper()
	families, err := s.metrics.Gather()
	must(s.t, err)
	count := make(map[string]int)
	for _, family := range families {
		if family.GetName() != "haproxyzk_zookeeper_request_duration_seconds" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "op" {
					count[label.GetValue()] += int(metric.GetHistogram().GetSampleCount())
				}
			}
		}
	}
	return count
}

// answered waits until all of them together have got so many answers to an operation.
func (s *syncers) answered(operation string, want int) {
	s.t.Helper()
	eventually(s.t, "answers to "+operation, func() error {
		if got := s.requests()[operation]; got < want {
			return fmt.Errorf("%d of %d", got, want)
		}
		return nil
	})
}

// since returns how many more requests there are than before.
func (s *syncers) since(before map[string]int) map[string]int {
	s.t.Helper()
	count := s.requests()
	for operation := range count {
		count[operation] -= before[operation]
	}
	return count
}

// monitored returns the sum of a figure that the servers report of themselves (mntr).
func (s *syncers) monitored(figure string) (sum int) {
	s.t.Helper()
	for _, server := range s.ensemble.Servers {
		text, err := server.FourLetter("mntr")
		must(s.t, err)
		_, rest, found := strings.Cut(text, figure+"\t")
		if !found {
			s.t.Fatalf("no %s in %s", figure, text)
		}
		value, _, _ := strings.Cut(rest, "\n")
		n, err := strconv.Atoi(value)
		must(s.t, err)
		sum += n
	}
	return sum
}
