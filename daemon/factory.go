package daemon

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/daemon/host"
	"github.com/haproxy-zk/haproxy-zk/files"
	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/state"
	"github.com/haproxy-zk/haproxy-zk/stats"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

const (
	// A stats socket answers within a millisecond, or within 100 ms for the state of
	// 20,000 servers.
	socketTimeout = 2 * time.Second
	// HAProxy hands over its listening sockets within a millisecond.
	handoverTimeout = 500 * time.Millisecond
	resyncEvery     = time.Second
	heartbeatEvery  = 2 * time.Second
)

// handoverSuffix is the suffix of the unix socket in RUN_DIR at which a starting HAProxy
// finds the kept listening sockets. It is as long as that of the log socket.
const handoverSuffix = ".fds.sock"

// factory creates the parts of each proxy: HAProxy, controller and sources.
type factory struct {
	opts       Options
	log        *slog.Logger
	reaper     *supervisor.Reaper
	directory  *directory
	stopping   *stopping
	record     *record
	supervisor *supervisor.Metrics
	hactl      *hactl.Metrics
	syncer     *syncer.Metrics
	services   *files.Metrics
	state      *state.Metrics
	stats      *stats.Metrics

	// listeners are the addresses of all proxies and our own.
	listeners *syncer.Listeners

	// kept are the proxies of the last accepted configuration, arranged its plans.
	kept     map[string]*proxy
	arranged atomic.Pointer[[]*plan.Plan]
	// delay is the longest stop_delay of that configuration, a [time.Duration].
	delay atomic.Int64
}

func newFactory(o Options, reaper *supervisor.Reaper, stopping *stopping, record *record) *factory {
	return &factory{
		opts:       o,
		log:        o.Logger,
		reaper:     reaper,
		directory:  &directory{changed: make(chan struct{}, 1)},
		stopping:   stopping,
		record:     record,
		supervisor: supervisor.NewMetrics(o.Metrics),
		hactl:      hactl.NewMetrics(o.Metrics),
		syncer:     syncer.NewMetrics(o.Metrics),
		services:   files.NewMetrics(o.Metrics),
		state:      state.NewMetrics(o.Metrics),
		stats:      stats.NewMetrics(o.Metrics),
		listeners:  syncer.NewListeners(),
	}
}

// arrange applies the plans and returns the proxies that are to run from now on. It
// must be called by one goroutine only.
func (r *factory) arrange(plans []*plan.Plan) []supervisor.Proxy {
	r.directory.arrange(plans)
	r.arranged.Store(&plans)
	r.listeners.Set(listenersOf(r.opts.httpAddrs(), plans))
	if err := recordOf(r.opts, plans).Write(r.opts.RunDir); err != nil {
		r.log.Warn("cannot record what is running, status and stop --haproxy may not find HAProxy after a crash", "error", err)
	}
	before := r.kept
	r.kept = make(map[string]*proxy, len(plans))
	var set []supervisor.Proxy
	var delay, grace time.Duration
	for _, pl := range plans {
		delay, grace = max(delay, pl.StopDelay), max(grace, pl.StopGrace)
		proxy := supervisor.Proxy{Name: pl.Name, Fingerprint: pl.Fingerprint()}
		m := before[pl.Name]
		if m != nil && m.plan.Load().Fits(pl) {
			proxy.Change = func() { m.change(pl) }
		} else {
			m = newProxy(r, pl)
		}
		if maxconn, few := pl.FittedMaxConn(); few {
			r.log.Warn("open-file limit allows few connections, further clients wait", "proxy", pl.Name, "maxconn", maxconn, "open_files", pl.Frame.Files)
		}
		if reason, remedy := pl.UnmeasuredReason(); reason != "" {
			r.log.Warn("latency_histogram stays empty", "proxy", pl.Name, "reason", reason, "hint", remedy)
		}
		for _, reason := range pl.ClosingReasons() {
			r.log.Info("server_close is on, each request costs a server connection", "proxy", pl.Name, "reason", reason)
		}
		proxy.Run = m.run
		r.kept[pl.Name] = m
		set = append(set, proxy)
	}
	r.delay.Store(int64(delay))
	r.opts.Parent.Grace(delay + grace)
	return set
}

// stopDelay returns how long the proxies serve on once a stop has begun. It may be called
// from any goroutine.
func (r *factory) stopDelay() time.Duration { return time.Duration(r.delay.Load()) }

// recordOf returns the record of a haproxy-zk with these options and plans.
func recordOf(o Options, plans []*plan.Plan) host.Record {
	r := host.Record{HTTPAddr: strings.Join(o.httpAddrs(), ","), LogListen: o.LogListen, Proxies: []host.RecordedProxy{}}
	for _, pl := range plans {
		r.Proxies = append(r.Proxies, host.RecordedProxy{
			Name: pl.Name, ConfFile: pl.ConfFile, PIDFile: pl.PIDFile, SocketFiles: pl.SocketFiles, StopGrace: pl.StopGrace,
		})
	}
	return r
}

// listenersOf returns the addresses on which the query API and the proxies listen,
// including those of the templates, except those given as names or variables.
func listenersOf(httpAddrs []string, plans []*plan.Plan) []netip.AddrPort {
	all := slices.Clone(httpAddrs)
	for _, pl := range plans {
		for _, l := range plan.Listens(pl.Render()) {
			all = append(all, l.Addr)
		}
	}
	return plan.Addresses(all)
}

// collector, haproxy and controller are created once per proxy, sources once per plan.
func (r *factory) collector(proxy string, log *slog.Logger) *stats.Collector {
	return stats.New(stats.Options{Proxy: proxy, Timeout: socketTimeout, Logger: log.With("component", "stats"), Metrics: r.stats})
}

func (r *factory) haproxy(pl *plan.Plan, figures *stats.Collector, log *slog.Logger) *supervisor.HAProxy {
	handover := haproxy.Handover{Sockets: pl.SocketFiles, Timeout: handoverTimeout, Most: keptListeners()}
	return supervisor.New(supervisor.Options{
		Proxy:         pl.Name,
		Exec:          pl.Executable,
		ConfFile:      pl.ConfFile,
		PIDFile:       pl.PIDFile,
		Record:        filepath.Join(r.opts.RunDir, pl.Name+recordSuffix),
		WorkerUID:     pl.WorkerUID(),
		Sockets:       pl.SocketFiles,
		StopGrace:     pl.StopGrace,
		GraceStarts:   r.stopping.graceStarts,
		GraceOver:     r.stopping.graceOver,
		Detach:        r.stopping.detached,
		HardStopAfter: pl.HardStopAfter,
		ListenerHold:  pl.ListenerHold,
		TakeListeners: func(ctx context.Context, pids []int) (supervisor.Listeners, error) {
			taken, err := handover.Take(ctx, pids)
			if err != nil {
				return nil, err // not a nil *haproxy.Listeners
			}
			return taken, nil
		},
		HandoverSocket: filepath.Join(r.opts.RunDir, pl.Name+handoverSuffix),
		Reaper:         r.reaper,
		Prober:         haproxy.Prober{Sockets: pl.SocketFiles, Timeout: socketTimeout},
		Vacant:         func(config, running []byte) error { return plan.Vacant(plan.Listens(config), plan.Listens(running)) },
		Releasing:      figures.ReadLast,
		Said:           (&haproxyMessages{log: log.With("component", "supervisor")}).said,
		Report:         r.record.of(pl.Name),
		Logger:         log.With("component", "supervisor"),
		Metrics:        r.supervisor,
	})
}

func (r *factory) controller(pl *plan.Plan, haproxy hactl.Reloader, figures *stats.Collector, log *slog.Logger) *hactl.Controller {
	l := pl.Layout(r.reaper)
	return hactl.New(hactl.Options{
		Proxy:     pl.Name,
		Template:  l.Template,
		Frame:     l.Frame,
		Backends:  l.Backends,
		Discover:  l.Discover,
		Current:   l.Current,
		Reloader:  haproxy,
		StartWait: r.opts.StartWait,
		Resync:    resyncEvery,
		Heartbeat: heartbeatEvery,
		Timeout:   socketTimeout,
		Report:    r.record.of(pl.Name),
		Logger:    log.With("component", "hactl"),
		Metrics:   r.hactl,
		Settle:    figures.Settle,
		Removed:   figures.Removed,
		Published: r.directory.noteChange,
	})
}
