package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"

	"github.com/KimMachineGun/automemlimit/memlimit"
	oklog "github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// run is the whole daemon:
//
//	signals   ─┐ an actor's end interrupts the others
//	rereading ─┤   gives the proxies a configuration that was read again
//	proxies   ─┼─▶ each a group of its own: haproxy, controller, syncer
//	query     ─┘   answers until the proxies have stopped
//
// The reaper runs beneath all of them, since the plans need it already.
func run(ctx context.Context, s settings, stderr io.Writer) error {
	pidFile, systemd := daemonPIDFile(), newNotifier()
	s.logLevel = new(slog.LevelVar)
	s.logLevel.Set(s.LogLevel)
	out := newOutput(stderr)
	defer out.drain()
	log := newLogger(s, out)
	haproxyLog := newLogger(s, spare{out}).With("component", "haproxy")
	limitMemory(log, memlimit.FromCgroup)
	arriving := hearSignals()
	defer signal.Stop(arriving)
	cfg, warnings, err := s.configuration()
	for _, w := range warnings {
		log.Warn("configuration", "problem", w.String())
	}
	if err != nil {
		return err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(), out.counter())
	reaper, stopReaper, err := startReaper(log.With("component", "reaper"))
	if err != nil {
		return err
	}
	defer stopReaper()
	metrics.MustRegister(reapedOrphans(reaper))
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

	controlListener, err := control.Listen(controlSocket(s))
	if err != nil {
		return err
	}
	defer controlListener.Close()
	if pidFile != "" {
		removePIDFile, err := writePIDFile(pidFile)
		if err != nil {
			return err
		}
		defer removePIDFile()
	}

	stop := newStopping()
	rooms := newRooms(s, log, haproxyLog, metrics, reaper, stop)
	server := query.New(query.Options{
		Proxies: rooms.board.proxies,
		Metrics: promhttp.HandlerFor(metrics, promhttp.HandlerOpts{Registry: metrics}),

		Connections: queryConnections(log),
		Logger:      log.With("component", "query"),
	})
	proxies := supervisor.NewProxies(log.With("component", "proxies"), rooms.arrange(plans))
	rereading := newRereading(s, log.With("component", "configuration"), metrics, reaper, func(ctx context.Context, plans []*plan) (supervisor.Changes, error) {
		return proxies.Set(ctx, rooms.arrange(plans))
	})

	rereading.systemd = systemd

	running, stopProxies := context.WithCancel(ctx)
	defer stopProxies()
	listening, stopListening := context.WithCancel(context.Background())
	defer stopListening()
	serving, stopServing := context.WithCancel(context.Background())
	defer stopServing()

	detaching := control.New(control.Options{
		Detach: func() error {
			if os.Getpid() == 1 {
				return errors.New("haproxy-zk is process 1 here: HAProxy would end with it")
			}
			stop.detach()
			server.Stop()
			stopProxies()
			return nil
		},
		Release: rooms.board.release,
		Level:   s.logLevel,
		Logger:  log.With("component", "control"),
	})

	var g oklog.Group
	// failed is the proxies' error. Their end ends the others, any of which may
	// then return before it, and only the first error of a group survives.
	var failed error
	// A stop ends the proxies, and their end the rest: signals are heard, and
	// the query API tells how the stop goes, until there is nothing to tell.
	signals := &signals{
		log: log, arriving: arriving, stopping: stop,
		stop:   func() { _ = systemd.stopping(); server.Stop(); stopProxies() },
		reload: func() { rooms.board.reload("signal") },
		reread: rereading.ask,
	}
	g.Add(func() error { signals.run(listening); return ended(log, "signals", nil) }, func(error) {})
	g.Add(func() error { rereading.run(listening); return ended(log, "rereading", nil) }, func(error) {})
	g.Add(func() error {
		defer stopServing()
		defer stopListening()
		failed = ended(log, "proxies", proxies.Run(running))
		return failed
	}, func(error) { stopProxies() })
	g.Add(func() error {
		return ended(log, "query", server.Serve(serving, lasting{listener}))
	}, func(error) { server.Stop() })

	g.Add(func() error {
		return ended(log, "control", detaching.Serve(serving, lasting{controlListener}))
	}, func(error) {})
	g.Add(func() error {
		serves := func() error {
			if running.Err() != nil {
				return errors.New("it stops, HAProxy finishes its connections")
			}
			return rooms.board.serves()
		}
		return ended(log, "systemd", systemd.run(listening, serves, func(ctx context.Context) error {
			_, err := ask(ctx, listener.Addr().String(), "/healthz")
			return err
		}))
	}, func(error) {})

	if s.LogListen != "" {
		lines, err := supervisor.ListenLogUDP(s.LogListen, haproxyLog)
		if err != nil {
			return fmt.Errorf("LOG_LISTEN: %w", err)
		}
		g.Add(func() error { return ended(log, "log", lines.Run(serving)) }, func(error) {})
	}

	log.Info("haproxy-zk starts", "version", version, "config", s.Config, "proxies", len(plans), "http", listener.Addr().String(), "pid", os.Getpid())
	if err = g.Run(); err == nil {
		err = failed
	}
	if err == nil {
		log.Info("haproxy-zk has stopped")
	}
	return err
}

// ended logs how an actor ended: only the first error of a group survives.
func ended(log *slog.Logger, actor string, err error) error {
	log.Debug("actor ended", "actor", actor, "error", err)
	return err
}

func reapedOrphans(reaper *supervisor.Reaper) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "haproxyzk_orphans_reaped_total",
		Help: "Ended processes that haproxy-zk waited for although it did not start them, HAProxy's workers among them.",
	}, func() float64 { return float64(reaper.Orphans()) })
}

func buildInfo() prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "haproxyzk_build_info",
		Help: "Always 1; the labels tell the build.",
	}, []string{"version", "goversion"})
	info.WithLabelValues(version, runtime.Version()).Set(1)
	return info
}
