package main

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/state"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

const (
	// A stats socket answers in a millisecond, and in a tenth of a second when
	// 20,000 servers are asked for.
	socketTimeout = 2 * time.Second
	sweepEvery    = 30 * time.Second
	beatEvery     = 2 * time.Second
)

// rooms makes the three rooms of each proxy.
type rooms struct {
	settings   settings
	log        *slog.Logger
	haproxyLog *slog.Logger
	reaper     *supervisor.Reaper
	board      *board
	stopping   *stopping
	supervisor *supervisor.Metrics
	hactl      *hactl.Metrics
	syncer     *syncer.Metrics
	state      *state.Metrics

	// kept are the proxies of the configuration that was taken last.
	kept map[string]*room
}

func newRooms(s settings, log, haproxyLog *slog.Logger, reg prometheus.Registerer, reaper *supervisor.Reaper, stopping *stopping) *rooms {
	return &rooms{
		settings:   s,
		log:        log,
		haproxyLog: haproxyLog,
		reaper:     reaper,
		board:      &board{},
		stopping:   stopping,
		supervisor: supervisor.NewMetrics(reg),
		hactl:      hactl.NewMetrics(reg),
		syncer:     syncer.NewMetrics(reg),
		state:      state.NewMetrics(reg),
	}
}

// arrange makes the plans what the rooms are for, and returns the proxies that
// are to run from now on. One goroutine calls it.
func (r *rooms) arrange(plans []*plan) []supervisor.Proxy {
	r.board.arrange(plans)
	before := r.kept
	r.kept = make(map[string]*room, len(plans))
	var set []supervisor.Proxy
	for _, pl := range plans {
		proxy := supervisor.Proxy{Name: pl.Name, Fingerprint: pl.fingerprint()}
		m := before[pl.Name]
		if m != nil && m.fits(pl) {
			proxy.Change = func() { m.change(pl) }
		} else {
			m = newRoom(r, pl)
		}
		proxy.Run = m.run
		r.kept[pl.Name] = m
		set = append(set, proxy)
	}
	return set
}

// haproxy and controller are made once for a room, a syncer for each plan of it.
func (r *rooms) haproxy(pl *plan, log *slog.Logger) *supervisor.HAProxy {
	return supervisor.New(supervisor.Options{
		Proxy:         pl.Name,
		Exec:          pl.executable,
		ConfFile:      pl.ConfFile,
		PIDFile:       pl.PIDFile,
		Sockets:       pl.SocketFiles,
		StopGrace:     pl.StopGrace,
		Soft:          r.stopping.soft,
		Hurry:         r.stopping.hurry,
		Detach:        r.stopping.detached,
		HardStopAfter: pl.HardStopAfter,
		Reaper:        r.reaper,
		Prober:        hactl.Prober{Sockets: pl.SocketFiles, Timeout: socketTimeout},
		Logger:        log.With("component", "supervisor"),
		Metrics:       r.supervisor,
	})
}

func (r *rooms) controller(pl *plan, haproxy hactl.Reloader, log *slog.Logger) *hactl.Controller {
	l := pl.layout()
	return hactl.New(hactl.Options{
		Proxy:     pl.Name,
		Template:  l.Template,
		Frame:     l.Frame,
		Backends:  l.Backends,
		Discover:  l.Discover,
		Reloader:  haproxy,
		StartWait: r.settings.StartWait,
		Sweep:     sweepEvery,
		Beat:      beatEvery,
		Timeout:   socketTimeout,
		Logger:    log.With("component", "hactl"),
		Metrics:   r.hactl,
	})
}
