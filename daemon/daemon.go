package daemon

import (
	"context"
	"fmt"
	"net"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/daemon/host"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/plan"
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
	var listener net.Listener
	record := newRecord(o)
	sig, err := arriving.unlessStopped(ctx, func(ctx context.Context) (err error) {
		defer record.loaded()
		if plans, err = o.firstPlans(ctx, reaper); err != nil {
			return err
		}
		listener, err = listenHTTP(ctx, o.HTTPAddr)
		return err
	})
	if sig != nil {
		log.Info("stopped before HAProxy was started", "signal", sig.String())
		return nil
	}
	if err != nil {
		return err
	}
	o.HTTPAddr = listener.Addr().String() // HTTP_ADDR may contain a host name
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

	return o.serve(ctx, reaper, arriving, ports{listener, controlListener}, plans, record)
}

// listenHTTP listens on HTTP_ADDR, which may contain a host name.
func listenHTTP(ctx context.Context, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, exitcode.ClassifyListen(fmt.Errorf("listen on HTTP_ADDR: %w", err))
	}
	return l, nil
}
