package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/haproxy-zk/haproxy-zk/accesslog"
	"github.com/haproxy-zk/haproxy-zk/check"
	"github.com/haproxy-zk/haproxy-zk/daemon"
	"github.com/haproxy-zk/haproxy-zk/daemon/host"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/logging"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
	"github.com/haproxy-zk/haproxy-zk/systemd"
)

// run is the daemon, or in a container process 1 that is its parent.
func run(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	if os.Getpid() == 1 && supervisor.HasSubreaper() {
		return runProcessOne(s, stderr)
	}
	// These take out of the environment, which HAProxy gets, what is not for it.
	pidFile, notifier, parent := host.TakePIDFile(), systemd.FromEnvironment(), supervisor.FindParent()
	out := logging.NewOutput(stderr)
	defer out.Drain()
	level := new(slog.LevelVar)
	level.Set(s.LogLevel)
	format := logging.Options{Level: level, Format: s.LogFormat}
	log := logging.New(format, out)
	access := accesslog.New(accesslog.Options{
		Where: s.AccessLog, Stdout: stdout,
		Lines:  logging.New(format, out.LowestPriority()).With("component", "access"),
		Logger: log.With("component", "accesslog"),
	})
	defer access.Drain()
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(), access.Counter(),
		out.Counter("haproxyzk_log_lines_lost_total", "Log lines of haproxy-zk and HAProxy dropped because the output was too slow or closed."))
	if place := s.Place(); place != (registry.Place{}) {
		metrics.MustRegister(nodeInfo(place))
	}
	return daemon.Run(ctx, daemon.Options{
		Version: version, Config: s.Config,
		HTTPAddrs: s.HTTPAddrs(), HTTPDetailAddr: s.HTTPDetailAddr, LogListen: s.LogListen, RunDir: s.RunDir, StateDir: s.StateDir,
		StartWait: s.StartWait, PIDFile: pidFile, Place: s.Place(),
		Configuration: s.configuration, Access: s.access, Plans: check.Plans, Accept: check.Accept,
		Logger: log, HAProxyLogger: logging.New(format, out.LowPriority()).With("component", "haproxy"), Level: level, AccessLog: access,
		Metrics: metrics, Systemd: notifier, Parent: parent,
	})
}

func runProcessOne(s settings, stderr io.Writer) error {
	out := logging.NewOutput(stderr)
	defer out.Drain()
	code, err := daemon.RunProcessOne(s.logger(out).With("component", "process 1"), os.Args)
	if err == nil && code != 0 {
		err = exitcode.Error{Code: code} // the daemon has said why
	}
	return err
}

func buildInfo() prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "haproxyzk_build_info",
		Help: "Always 1; the labels identify the build.",
	}, []string{"version", "goversion"})
	info.WithLabelValues(version, runtime.Version()).Set(1)
	return info
}

// nodeInfo has where the process runs, once, and not in each metric: series must not
// change when a load balancer moves.
func nodeInfo(place registry.Place) prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "haproxyzk_node_info",
		Help: "Always 1; the labels are NODE_NAME and NODE_ZONE.",
	}, []string{"node", "zone"})
	info.WithLabelValues(place.Node, place.Zone).Set(1)
	return info
}
