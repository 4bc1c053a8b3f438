package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

// plan is one proxy, with everything found out that can be before it starts.
type plan struct {
	config.Proxy
	executable string
	template   *hactl.Template
	frame      hactl.Frame
	backends   []hactl.Backend
	// logSocket is where the built-in template has HAProxy log; empty with
	// another template.
	logSocket string
}

// newPlan looks for HAProxy, asks for its version, and reads the template. Its
// error tells everything that is wrong, each with its place.
func newPlan(ctx context.Context, s *settings, reaper *supervisor.Reaper, p config.Proxy) (*plan, error) {
	key := func(name string, err error) error { return fmt.Errorf("%s.%s: %w", p.Name, name, err) }
	executable, err := exec.LookPath(p.Exec)
	if err != nil {
		return nil, usageError{key("exec", fmt.Errorf("HAProxy is not there: %w", err))}
	}
	output, err := reaper.Output(ctx, executable, "-v")
	if err != nil {
		return nil, usageError{key("exec", fmt.Errorf("ask HAProxy for its version: %w", err))}
	}
	v, err := hactl.ParseVersion(output)
	if err != nil {
		return nil, usageError{key("exec", fmt.Errorf("%s is no HAProxy: %w", executable, err))}
	}
	pl := &plan{Proxy: p, executable: executable, frame: hactl.Frame{
		Version:      v,
		Sockets:      p.SocketFiles,
		PIDFile:      p.PIDFile,
		ListenerPort: p.ListenerPort,
		AdminPort:    p.AdminPort,
	}}
	var problems []error
	for _, g := range p.Groups {
		b, err := newBackend(g, v)
		if err != nil {
			problems = append(problems, key("groups."+g.Name+".server-template", err))
		}
		pl.backends = append(pl.backends, b)
	}
	if p.Template == "" {
		pl.logSocket = filepath.Join(s.RunDir, p.Name+".log.sock")
	}
	if pl.template, err = pl.readTemplate(); err != nil {
		problems = append(problems, key("template", err))
	} else if err := pl.template.Validate(pl.frame, pl.backends); err != nil {
		problems = append(problems, key("template", err))
	}
	if len(problems) > 0 {
		return nil, usageError{errors.Join(problems...)}
	}
	return pl, nil
}

func serverClose(g config.Group, v hactl.Version) bool {
	if g.ServerClose != nil {
		return *g.ServerClose
	}
	return g.Mode == "http" && v.PinsConnections()
}

// newBackend is a group, written out or discovered, as hactl has it.
func newBackend(g config.Group, v hactl.Version) (hactl.Backend, error) {
	servers, err := hactl.ParseServerTemplate(g.ServerTemplate, g.Name, g.MaxServer)
	return hactl.Backend{
		Name:         g.Name,
		ACLs:         g.ACLs,
		Mode:         g.Mode,
		Balance:      g.Balance,
		HTTPCheck:    g.HTTPCheck,
		Default:      g.DefaultBackend,
		ServerClose:  serverClose(g, v),
		WaitCheck:    g.WaitCheck,
		LossGuard:    g.LossGuard,
		DrainTimeout: g.DrainTimeout,
		ListenerPort: g.ListenerPort,
		Servers:      servers,
	}, err
}

// discover is how the backend of a discovered group is made; nil when none is
// discovered.
func (pl *plan) discover() func(name string) (hactl.Backend, error) {
	if pl.Discover == nil {
		return nil
	}
	return func(name string) (hactl.Backend, error) {
		g, err := pl.Discover.Group(name)
		if err != nil {
			return hactl.Backend{}, err
		}
		return newBackend(g, pl.frame.Version)
	}
}

// discovery is where the syncer finds groups; nil when none is discovered.
func (pl *plan) discovery() *syncer.Discovery {
	if pl.Discover == nil {
		return nil
	}
	return &syncer.Discovery{Parent: pl.Discover.Parent, Path: func(name string) string {
		g, err := pl.Discover.Group(name)
		if err != nil {
			return "" // the controller refuses it too, and says why
		}
		return g.Path
	}}
}

// mode is that of the built-in template: tcp when all groups are.
func (pl *plan) mode() string {
	http := func(g config.Group) bool { return g.Mode == "http" }
	if slices.ContainsFunc(pl.Groups, http) || len(pl.Groups) == 0 && pl.Discover == nil || pl.Discover != nil && http(pl.Discover.Entry) {
		return "http"
	}
	return "tcp"
}

func (pl *plan) readTemplate() (*hactl.Template, error) {
	p := pl.Proxy
	if p.Template == "" {
		return hactl.ParseTemplate(hactl.Builtin{
			Mode: pl.mode(), Version: pl.frame.Version, LogSocket: pl.logSocket,
			User: p.Admin.User, Password: p.Admin.Password.Reveal(),
		}.Text())
	}
	text, err := os.ReadFile(p.Template)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	t, err := hactl.ParseTemplate(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Template, err)
	}
	return t, nil
}

// render is the configuration that HAProxy starts with while nothing is registered.
func (pl *plan) render() []byte {
	tables := make([]*hactl.Table, len(pl.backends))
	for i, b := range pl.backends {
		tables[i] = hactl.NewTable(b.Servers.Last-b.Servers.First+1, b.WaitCheck)
	}
	return pl.template.Render(pl.frame, pl.backends, tables)
}

// secure is how ZooKeeper is spoken to; nil is in the clear.
func secure(t *config.TLS) syncer.Secure {
	if t == nil {
		return nil
	}
	return func() (*tls.Config, error) { return t.Load(os.ReadFile) }
}
