package chaos

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	// sessionTimeout is short enough to expire in a run.
	sessionTimeout = 4 * time.Second
	// The applications' own session survives every fault.
	applications = 30 * time.Second
)

// The groups: the default backend, one behind an ACL, a discovered one, and one of mode
// tcp with its own listener.
const (
	shop  = "shop"
	base  = "base"
	blog  = "blog"
	queue = "queue"
)

// world is one haproxy-zk with its HAProxy, its environment, and everything recorded
// about them.
type world struct {
	haproxy  rig.HAProxy
	ensemble *rig.Ensemble

	home, binary, http, logs string
	config                   *rig.SeedConfig
	queuePort                int
	wires                    []*rig.Wire
	registry                 *rig.Registry
	teams                    map[string]*team
	loads                    []*rig.Load

	journal    journal
	oracle     oracle
	transcript transcript

	// guarded: the loss guard's memory does not survive a crash of haproxy-zk, so
	// nothing is killed while instances are held.
	guarded sync.Mutex

	mu     sync.Mutex
	daemon *rig.Daemon
}

// template is an HAProxy configuration that reports which server answered, and loses no
// requests by itself.
const template = `global
    maxconn 2000
    log LOGS local0 info
    daemon
    nbproc $nbproc
    pidfile $pid_file
    stats timeout 10s
$sockets

defaults
    mode http
    log global
    option httplog
    option dontlognull
    option forwardfor
    option redispatch
    retries 3
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout queue 10s
    timeout http-keep-alive 5s

frontend public
    bind 127.0.0.1:$listener_port
    http-response set-header ` + rig.HeaderWorker + ` %pid
    # server
$acl
$use_backend
$default_backend

$backend
`

// newWorld prepares a run; start starts it.
func newWorld(h rig.HAProxy, e *rig.Ensemble, binary string) (w *world, err error) {
	w = &world{haproxy: h, ensemble: e, binary: binary, teams: make(map[string]*team)}
	if w.home, err = os.MkdirTemp("", "hz-"); err != nil { // short, for unix sockets
		return nil, err
	}
	var ports [3]int
	for i := range ports {
		if ports[i], err = rig.FreePort(); err != nil {
			return w, err
		}
	}
	w.http, w.logs, w.queuePort = loopback(ports[0]), loopback(ports[1]), ports[2]
	var through []string
	for _, server := range e.Servers {
		wire, err := rig.NewWire(server.Addr())
		if err != nil {
			return w, err
		}
		w.wires = append(w.wires, wire)
		through = append(through, wire.Addr())
	}
	server := "" // HAProxy 2.0 cannot report it
	if h.Major > 2 || h.Minor >= 2 {
		server = "    http-after-response set-header " + rig.HeaderServer + " %si:%sp if { status 502:504 }\n"
	}
	w.config = &rig.SeedConfig{
		Proxy: "edge", ZKAddr: strings.Join(through, ","), ZKPath: "/" + filepath.Base(w.home) + "/${group}/instances", HAProxy: h.Path,
		Template: strings.NewReplacer("LOGS", w.logs, "    # server\n", server).Replace(template),
		Groups:   w.groups(),
		Extra:    map[string]any{"session_timeout": sessionTimeout.String()},
	}
	for _, group := range []string{shop, base, blog, queue} {
		w.team(group)
	}
	return w, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// groups returns the configured groups.
func (w *world) groups(more ...rig.Group) []rig.Group {
	groups := []rig.Group{
		{Name: shop, HTTPChk: "GET /probe.jsp", DefaultBackend: true, MaxServer: 8},
		{Name: base, HTTPChk: "GET /base/probe.jsp", ACLs: []string{"path_beg /base"}},
		{Name: queue, Mode: "tcp", Extra: map[string]any{"listener_port": w.queuePort}},
	}
	return append(append(groups, more...), rig.Group{Name: "*"})
}

func (w *world) team(group string) *team {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.teams[group] == nil {
		w.teams[group] = &team{w: w, group: group, taken: make(map[*rig.App]bool)}
	}
	return w.teams[group]
}

func (w *world) node(group string) string {
	return strings.ReplaceAll(w.config.ZKPath, "${group}", group)
}

// start starts the applications, haproxy-zk and the load.
func (w *world) start(ctx context.Context) (err error) {
	if w.registry, err = rig.ConnectRegistry(ctx, w.ensemble.Addr(), applications); err != nil {
		return err
	}
	for _, t := range w.teams {
		joined, err := t.join(5)
		if err != nil {
			return err
		}
		t.give(joined...)
	}
	if _, err := w.config.Write(w.home); err != nil {
		return err
	}
	if err := w.launch(ctx); err != nil {
		return err
	}
	for _, t := range w.teams {
		if err := t.serve(ctx, t.members...); err != nil {
			return err
		}
	}
	return nil
}

// configure writes the configuration with more groups.
func (w *world) configure(more ...rig.Group) error {
	c := *w.config // others read it
	c.Groups = w.groups(more...)
	_, err := c.Write(w.home)
	return err
}

// launch starts haproxy-zk and waits until it is ready.
func (w *world) launch(ctx context.Context) error {
	log, err := w.transcript.pipe()
	if err != nil {
		return err
	}
	defer log.Close()
	daemon, err := rig.StartDaemon(rig.DaemonOptions{
		Binary: w.binary, Dir: w.home, Stderr: log,
		Args: []string{"run", "--config", filepath.Join(w.home, "etc", "web.config.json"), "--http-addr", w.http, "--run-dir", w.runDir(), "--state-dir", w.stateDir(), "--log-listen", w.logs},
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.daemon = daemon
	w.mu.Unlock()
	return w.ready(ctx)
}

func (w *world) runDir() string   { return filepath.Join(w.home, "run") }
func (w *world) stateDir() string { return filepath.Join(w.home, "state") }

func (w *world) running() *rig.Daemon {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.daemon
}

func (w *world) signal(sig syscall.Signal) error { return w.running().Signal(sig) }

// drive starts a load.
func (w *world) drive(ctx context.Context, o rig.LoadOptions) (*rig.Load, error) {
	o.Rate, o.Failed, o.MaxRequests, o.MaxTime = 20, w.oracle.addLoss, 1<<30, 24*time.Hour
	load, err := rig.NewLoad(o)
	if err != nil {
		return nil, err
	}
	load.Start(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loads = append(w.loads, load)
	return load, nil
}

// close ends everything that is still running.
func (w *world) close() error {
	for _, load := range w.loads {
		load.Stop()
	}
	var errs []error
	if w.daemon != nil {
		errs = append(errs, w.daemon.Close())
		w.transcript.close()
	}
	if w.registry != nil {
		errs = append(errs, w.registry.Delete("/"+filepath.Base(w.home)))
		w.registry.Close()
	}
	for _, t := range w.teams {
		errs = append(errs, t.close())
	}
	for _, wire := range w.wires {
		wire.Close()
	}
	return errors.Join(append(errs, os.RemoveAll(w.home))...)
}
