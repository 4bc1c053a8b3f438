package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"

	oklog "github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// run is the whole daemon:
//
//	signals ─┐ an actor's end interrupts the others
//	proxies ─┼─▶ each a group of its own: haproxy, syncer, controller
//	query   ─┘   answers until the proxies have stopped
//
// The reaper runs beneath all of them, since the plans need it already.
func run(ctx context.Context, s settings, stderr io.Writer) error {
	log := newLogger(s, stderr)
	cfg, warnings, err := s.configuration()
	for _, w := range warnings {
		log.Warn("configuration", "problem", w.String())
	}
	if err != nil {
		return err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	reaper, stopReaper, err := startReaper(log.With("component", "reaper"))
	if err != nil {
		return err
	}
	defer stopReaper()
	plans, err := newPlans(ctx, &s, reaper, cfg)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.RunDir, 0o755); err != nil {
		return fmt.Errorf("make the folder RUN_DIR: %w", err)
	}
	listener, err := net.Listen("tcp", s.HTTPAddr)
	if err != nil {
		return fmt.Errorf("listen on HTTP_ADDR: %w", err)
	}

	b := newBoard(plans)
	rooms := newRooms(s, log, metrics, reaper, b)
	server := query.New(query.Options{
		Proxies: b.proxies,
		Metrics: promhttp.HandlerFor(metrics, promhttp.HandlerOpts{Registry: metrics}),
		Logger:  log.With("component", "query"),
	})
	var set []supervisor.Proxy
	for i, pl := range plans {
		set = append(set, supervisor.Proxy{Name: pl.Name, Run: func(ctx context.Context, started func()) error {
			return rooms.run(ctx, i, pl, started)
		}})
	}
	proxies := supervisor.NewProxies(log.With("component", "proxies"), set)

	running, stopProxies := context.WithCancel(ctx)
	defer stopProxies()
	serving, stopServing := context.WithCancel(context.Background())
	defer stopServing()

	var g oklog.Group
	g.Add(oklog.SignalHandler(ctx, unix.SIGTERM, unix.SIGINT))
	g.Add(func() error {
		// The query API tells how the stop goes until there is nothing to tell.
		defer stopServing()
		return ended(log, "proxies", proxies.Run(running))
	}, func(error) { stopProxies() })
	g.Add(func() error {
		return ended(log, "query", server.Serve(serving, listener))
	}, func(error) { server.Stop() })

	log.Info("haproxy-zk starts", "version", version, "config", s.Config, "proxies", len(plans), "http", listener.Addr().String(), "pid", os.Getpid())
	err = g.Run()
	if errors.Is(err, oklog.ErrSignal) {
		log.Info("haproxy-zk has stopped", "reason", err.Error())
		return nil
	}
	return err
}

// ended logs how an actor ended: only the first error of a group survives.
func ended(log *slog.Logger, actor string, err error) error {
	log.Debug("actor ended", "actor", actor, "error", err)
	return err
}

func buildInfo() prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "haproxyzk_build_info",
		Help: "Always 1; the labels tell the build.",
	}, []string{"version", "goversion"})
	info.WithLabelValues(version, runtime.Version()).Set(1)
	return info
}
