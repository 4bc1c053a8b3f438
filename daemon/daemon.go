package daemon

import (
	"context"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/daemon/host"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// Run runs the daemon until it has stopped. It finds out everything that a start needs,
// then serves.
//
// A requested stop returns nil, even before HAProxy was started. Run must be called at
// most once in a process: it handles all of its signals and children.
func Run(ctx context.Context, o Options) error {
	log := o.Logger
	limitMemory(log, memlimit.FromCgroup)
	arriving := hearSignals()
	defer arriving.close()
	o.Parent.Hears()
	reaper, stopReaper, err := supervisor.StartReaper(log.With("component", "reaper"))
	if err != nil {
		return err
	}
	defer stopReaper()
	if o.Parent != nil {
		if err := reaper.Sacrifice(); err != nil {
			log.Debug("cannot mark haproxy-zk as the preferred victim of the OOM killer", "error", err)
		}
	}
	o.Metrics.MustRegister(reapedOrphans(reaper))

	var plans []*plan.Plan
	var access *query.Access
	var listeners []query.Port
	record := newRecord(o)
	sig, err := arriving.unlessStopped(ctx, func(ctx context.Context) (err error) {
		defer record.loaded()
		if plans, err = o.firstPlans(ctx, reaper); err != nil {
			return err
		}
		if access, err = o.Access(); err != nil {
			return err
		}
		listeners, err = o.listenHTTP(ctx)
		return err
	})
	if sig != nil {
		log.Info("stopped before HAProxy was started", "signal", sig.String())
		return nil
	}
	if err != nil {
		return err
	}
	o = o.at(listeners)
	if err := plan.MakeFolder("RUN_DIR", o.RunDir); err != nil {
		return exitcode.Classify(err)
	}
	controlListener, err := control.Listen(control.Path(o.RunDir))
	if err != nil {
		return err
	}
	defer controlListener.Close()
	if o.PIDFile != "" {
		removePIDFile, err := host.WritePIDFile(o.PIDFile)
		if err != nil {
			return err
		}
		defer removePIDFile()
	}

	return o.serve(ctx, reaper, arriving, ports{listeners, controlListener}, access, plans, record)
}
