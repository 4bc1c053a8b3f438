package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/haproxy-zk/haproxy-zk/check"
	"github.com/haproxy-zk/haproxy-zk/daemon"
	"github.com/haproxy-zk/haproxy-zk/daemon/host"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/logging"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
	"github.com/haproxy-zk/haproxy-zk/systemd"
)

// run is the daemon, or in a container process 1 that is its parent.
func run(ctx context.Context, s settings, stderr io.Writer) error {
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
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(), out.Counter())
	return daemon.Run(ctx, daemon.Options{
		Version: version, Config: s.Config,
		HTTPAddrs: s.httpAddrs(), HTTPDetailAddr: s.HTTPDetailAddr, LogListen: s.LogListen, RunDir: s.RunDir, StateDir: s.StateDir,
		StartWait: s.StartWait, PIDFile: pidFile,
		Configuration: s.configuration, Access: s.access, Plans: check.Plans, Accept: check.Accept,
		Logger: logging.New(format, out), HAProxyLogger: logging.New(format, out.LowPriority()).With("component", "haproxy"), Level: level,
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
