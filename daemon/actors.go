package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	oklog "github.com/oklog/run"

	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// ports are the listeners of the daemon. Their servers close them.
type ports struct {
	query   []query.Port
	control net.Listener
}

// serve runs the actors of the daemon until all of them have ended:
//
//	signals   ─┐
//	rereading ─┤
//	query     ─┼──▶ proxies   each a group of its own: haproxy, controller, syncer
//	control   ─┤
//	systemd   ─┤
//	events    ─┤
//	memory    ─┤
//	log       ─┘
//
// If any of these actors ends, the proxies end, and after them the others: until then
// signals are handled, and the query API shows the state of the stop. The reaper runs
// beneath all of them, since the plans need it already. In a container the daemon is the
// child of process 1 ([RunProcessOne]).
func (o Options) serve(ctx context.Context, reaper *supervisor.Reaper, arriving arriving, at ports, access *query.Access, plans []*plan.Plan, record *record) error {
	log := o.Logger
	stop := newStopping()
	// ready is done when a stop begins.
	ready, leave := context.WithCancel(ctx)
	defer leave()
	factory := newFactory(o, reaper, stop, record)
	proxies := supervisor.NewProxies(log.With("component", "proxies"), factory.arrange(plans))
	var queries *query.Server
	rereading := newRereading(o, reaper, record.report, factory.vacant, func(ctx context.Context, plans []*plan.Plan, access *query.Access) (supervisor.Changes, error) {
		if ready.Err() != nil {
			return supervisor.Changes{}, supervisor.ErrEnded
		}
		changes, err := proxies.Set(ctx, factory.arrange(plans))
		if err == nil {
			queries.SetAccess(access)
		}
		return changes, err
	})
	queries = o.newQueries(factory, rereading, access, record)

	// running is done when the proxies are to end, over when they have ended.
	running, stopProxies := context.WithCancel(ctx)
	defer stopProxies()
	over, proxiesEnded := context.WithCancel(context.Background())
	defer proxiesEnded()
	withdraw := func() { queries.Stop(); leave() }
	// end ends the proxies; once these have ended, everything that runs until over ends.
	end := func() { withdraw(); stopProxies() }

	signals := &signals{
		log: log, arriving: arriving, stopping: stop,
		delay:    factory.stopDelay,
		withdraw: func() { _ = o.Systemd.Stopping(); withdraw() },
		stop:     end,
		reload:   func() { factory.directory.reloadAll("signal") },
		reread:   rereading.ask,
	}
	commands := o.newCommands(factory, rereading, func() {
		if stop.detach() {
			end()
		}
	})
	serves := func() error {
		if ready.Err() != nil {
			return errors.New("stopping, HAProxy is draining its connections")
		}
		return factory.directory.serves()
	}

	o.Metrics.MustRegister(newReadiness(factory.directory.proxies, func() bool { return ready.Err() != nil }))

	var g oklog.Group
	// failed is the error of the proxies. When they end, the other actors end too,
	// possibly first, and a group only keeps its first error.
	var failed error
	endProxies := func(error) { end() }
	g.Add(func() error {
		defer proxiesEnded()
		failed = ended(log, "proxies", proxies.Run(running))
		record.report(stopEvent(failed, stop))
		return failed
	}, endProxies)
	g.Add(func() error { signals.run(over); return ended(log, "signals", nil) }, endProxies)
	g.Add(func() error { rereading.run(over); return ended(log, "rereading", nil) }, endProxies)
	g.Add(func() error { return ended(log, "query", queries.Serve(over, retried(at.query)...)) }, endProxies)
	g.Add(func() error { return ended(log, "control", commands.Serve(over, retryListener{at.control})) }, endProxies)
	g.Add(func() error { return ended(log, "systemd", o.Systemd.Run(over, serves, queries.Answers)) }, endProxies)
	g.Add(func() error { record.run(over); return ended(log, "events", nil) }, endProxies)
	g.Add(func() error { keepMemorySmall(over); return ended(log, "memory", nil) }, endProxies)
	if o.LogListen != "" {
		lines, err := supervisor.ListenLogUDP(o.LogListen, o.HAProxyLogger)
		if err != nil {
			return exitcode.ClassifyListen(fmt.Errorf("LOG_LISTEN: %w", err))
		}
		lines.Take = func(l supervisor.LogLine) bool { return o.takeRequest("", l) }
		g.Add(func() error { return ended(log, "log", lines.Run(over)) }, endProxies)
	}

	log.Info("haproxy-zk is starting", "version", o.Version, "config", o.Config, "proxies", len(plans), "http", strings.Join(o.HTTPAddrs, ","), "http_detail", o.HTTPDetailAddr, "pid", os.Getpid(), "node", o.Place.Node, "zone", o.Place.Zone)
	record.report(registry.Event{Kind: registry.EventStart, Detail: fmt.Sprintf("version %s, process %d", o.Version, os.Getpid())})
	err := g.Run()
	if err == nil {
		err = failed
	}
	if err == nil {
		log.Info("haproxy-zk has stopped")
	}
	return err
}

// newQueries returns the server of the HTTP port.
func (o Options) newQueries(f *factory, r *rereading, access *query.Access, record *record) *query.Server {
	return query.New(query.Options{
		Proxies:       f.directory.proxies,
		Place:         o.Place,
		Changed:       f.directory.changed,
		Access:        access,
		Configuration: r.problem,
		Statistics:    f.directory.statistics,
		Metrics:       stats.NewPage(o.Metrics, f.directory.collectors),
		Events:        record.ring,
		Connections:   queryConnections(o.Logger),
		Logger:        o.Logger.With("component", "query"),
	})
}

// stopEvent returns the event of the end of all proxies.
func stopEvent(failed error, stop *stopping) registry.Event {
	e := registry.Event{Kind: registry.EventStop, Reason: "requested"}
	select {
	case <-stop.detached:
		e.Detail = "HAProxy keeps serving"
	default:
	}
	if failed != nil {
		e.Reason, e.Detail = "failed", failed.Error()
	}
	return e
}

// newCommands returns the server of the control socket. detach stops the daemon and leaves
// HAProxy running.
func (o Options) newCommands(f *factory, r *rereading, detach func()) *control.Server {
	return control.New(control.Options{
		Detach: func() error {
			if o.Parent != nil || os.Getpid() == 1 {
				return errors.New("haproxy-zk runs as process 1 here: HAProxy would end with it")
			}
			detach()
			return nil
		},
		Release: f.directory.releaseHeld,
		Reload:  r.readAndWait,
		Level:   o.Level,
		Logger:  o.Logger.With("component", "control"),
	})
}

// ended logs how an actor ended: a group only keeps its first error.
func ended(log *slog.Logger, actor string, err error) error {
	log.Debug("actor ended", "actor", actor, "error", err)
	return err
}
