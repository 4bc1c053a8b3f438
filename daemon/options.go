package daemon

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/accesslog"
	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
	"github.com/haproxy-zk/haproxy-zk/systemd"
)

// Options of the daemon. All are required except Config, HTTPDetailAddr, LogListen, PIDFile,
// Place, Parent and Systemd. They must not be modified.
type Options struct {
	// Version and Config, the configuration file, are logged.
	Version, Config string
	// HTTPAddrs, at least one, HTTPDetailAddr and LogListen are host:port. With
	// HTTPDetailAddr, HTTPAddrs answer less ([query.Port]). LogListen is UDP. Empty disables
	// either.
	HTTPAddrs                 []string
	HTTPDetailAddr, LogListen string
	RunDir, StateDir          string
	// Place is logged and reported by the HTTP port.
	Place registry.Place
	// StartWait is how long the start of HAProxy waits for ZooKeeper.
	StartWait time.Duration
	// PIDFile is written at the start and removed at the end; empty disables it.
	PIDFile string

	// Configuration reads the configuration and returns its warnings as well. It may
	// block.
	Configuration func() (*config.Config, []config.Problem, error)
	// Access reads the files that say who may ask the HTTP port. It may block.
	Access func() (*query.Access, error)
	// Plans returns the plan of each proxy of a configuration that can be planned. Its
	// error has a line for each problem of the remaining proxies.
	Plans func(context.Context, plan.Options, *config.Config) ([]*plan.Plan, error)
	// Accept returns why HAProxy rejects the configuration of a plan, one line per
	// reason; nil if it accepts it.
	Accept func(context.Context, *supervisor.Reaper, *plan.Plan) error

	// Logger is for the daemon's log, HAProxyLogger for HAProxy's own log lines except those
	// of requests, which go to AccessLog. Level is the level of both, which the control
	// socket can change.
	Logger, HAProxyLogger *slog.Logger
	Level                 *slog.LevelVar
	AccessLog             *accesslog.Log
	// Metrics is the registry for all metrics, served at /metrics.
	Metrics *prometheus.Registry
	Systemd systemd.Notifier
	// Parent is the process 1 that started this process; nil if there is none.
	Parent *supervisor.Parent
}

// httpAddrs returns all addresses of the HTTP port.
func (o Options) httpAddrs() []string {
	if o.HTTPDetailAddr == "" {
		return o.HTTPAddrs
	}
	return append(slices.Clone(o.HTTPAddrs), o.HTTPDetailAddr)
}

// readConfiguration reads the configuration and logs its warnings.
func (o Options) readConfiguration(log *slog.Logger) (*config.Config, error) {
	cfg, warnings, err := o.Configuration()
	for _, w := range warnings {
		log.Warn("configuration", "problem", w.String())
	}
	return cfg, err
}

// planProxies returns the plans of a configuration.
func (o Options) planProxies(ctx context.Context, reaper *supervisor.Reaper, cfg *config.Config) ([]*plan.Plan, error) {
	return o.Plans(ctx, plan.Options{RunDir: o.RunDir, Reaper: reaper}, cfg)
}

// firstPlans returns the plans of the configuration at the start. The files and
// programs it uses may block.
func (o Options) firstPlans(ctx context.Context, reaper *supervisor.Reaper) ([]*plan.Plan, error) {
	cfg, err := o.readConfiguration(o.Logger)
	if err != nil {
		return nil, err
	}
	return o.planProxies(ctx, reaper, cfg)
}
