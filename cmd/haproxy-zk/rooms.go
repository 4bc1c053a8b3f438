package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	oklog "github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

const (
	// A stats socket answers in a millisecond, and in a tenth of a second when
	// 20,000 servers are asked for.
	socketTimeout = 2 * time.Second
	sweepEvery    = 30 * time.Second
)

// rooms makes the three rooms of a proxy and joins them.
type rooms struct {
	settings   settings
	log        *slog.Logger
	reaper     *supervisor.Reaper
	board      *board
	supervisor *supervisor.Metrics
	hactl      *hactl.Metrics
	syncer     *syncer.Metrics
}

func newRooms(s settings, log *slog.Logger, reg prometheus.Registerer, reaper *supervisor.Reaper, b *board) *rooms {
	return &rooms{
		settings:   s,
		log:        log,
		reaper:     reaper,
		board:      b,
		supervisor: supervisor.NewMetrics(reg),
		hactl:      hactl.NewMetrics(reg),
		syncer:     syncer.NewMetrics(reg),
	}
}

// run serves the proxy, whose place on the board is i, until ctx is done:
//
//	syncer ──▶ controller ──▶ haproxy
func (r *rooms) run(ctx context.Context, i int, pl *plan, started func()) error {
	log := r.log.With("proxy", pl.Name)
	for _, file := range append([]string{pl.ConfFile, pl.PIDFile}, pl.SocketFiles...) {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
	}
	haproxy := supervisor.New(supervisor.Options{
		Proxy:         pl.Name,
		Exec:          pl.executable,
		ConfFile:      pl.ConfFile,
		PIDFile:       pl.PIDFile,
		Sockets:       pl.SocketFiles,
		StopGrace:     pl.StopGrace,
		HardStopAfter: pl.HardStopAfter,
		Reaper:        r.reaper,
		Prober:        hactl.Prober{Sockets: pl.SocketFiles, Timeout: socketTimeout},
		Logger:        log.With("component", "supervisor"),
		Metrics:       r.supervisor,
	})
	controller := hactl.New(hactl.Options{
		Proxy:     pl.Name,
		Template:  pl.template,
		Frame:     pl.frame,
		Backends:  pl.backends,
		Discover:  pl.discover(),
		Reloader:  haproxy,
		StartWait: r.settings.StartWait,
		Sweep:     sweepEvery,
		Timeout:   socketTimeout,
		Logger:    log.With("component", "hactl"),
		Metrics:   r.hactl,
	})
	var groups []syncer.Group
	for _, g := range pl.Groups {
		groups = append(groups, syncer.Group{Name: g.Name, Path: g.Path})
	}
	zk := syncer.New(syncer.Options{
		Proxy:          pl.Name,
		Servers:        pl.ZooKeeper.Servers,
		Chroot:         pl.ZooKeeper.Chroot,
		SessionTimeout: pl.SessionTimeout,
		Groups:         groups,
		Discover:       pl.discovery(),
		Sink:           controller,
		Logger:         log.With("component", "syncer"),
		Metrics:        r.syncer,
	})
	var logSocket *supervisor.LogSocket
	if pl.logSocket != "" {
		var err error
		if logSocket, err = supervisor.ListenLog(pl.logSocket, log.With("component", "haproxy"), r.supervisor); err != nil {
			return err
		}
	}
	r.board.put(i, controller, zk)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	interrupt := func(error) { cancel() }
	var g oklog.Group
	g.Add(func() error { return ended(log, "haproxy", haproxy.Run(ctx)) }, interrupt)
	g.Add(func() error { return ended(log, "syncer", zk.Run(ctx)) }, interrupt)
	g.Add(func() error { return ended(log, "controller", controller.Run(ctx, started)) }, interrupt)
	if logSocket != nil {
		// Its lines matter until HAProxy has ended.
		logging, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- logSocket.Run(logging) }()
		defer func() {
			stop()
			if err := <-ended; err != nil {
				log.Warn("HAProxy's log was not read to its end", "error", err)
			}
		}()
	}
	return g.Run()
}
