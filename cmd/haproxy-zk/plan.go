package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// plan is one proxy, with everything found out that can be before it starts.
type plan struct {
	config.Proxy
	executable string
	template   *hactl.Template
	frame      hactl.Frame
	backends   []hactl.Backend
}

// newPlan looks for HAProxy, asks for its version, and reads the template. Its
// error tells everything that is wrong, each with its place.
func newPlan(ctx context.Context, reaper *supervisor.Reaper, p config.Proxy) (*plan, error) {
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
		servers, err := hactl.ParseServerTemplate(g.ServerTemplate, g.Name, g.MaxServer)
		if err != nil {
			problems = append(problems, key("groups."+g.Name+".server-template", err))
		}
		pl.backends = append(pl.backends, hactl.Backend{
			Name:         g.Name,
			ACLs:         g.ACLs,
			Mode:         g.Mode,
			Balance:      g.Balance,
			HTTPCheck:    g.HTTPCheck,
			Default:      g.DefaultBackend,
			ServerClose:  serverClose(g, v),
			WaitCheck:    g.WaitCheck,
			ListenerPort: g.ListenerPort,
			Servers:      servers,
		})
	}
	if pl.template, err = readTemplate(p); err != nil {
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

func readTemplate(p config.Proxy) (*hactl.Template, error) {
	if p.Template == "" {
		mode := "tcp"
		for _, g := range p.Groups {
			if g.Mode != "tcp" {
				mode = "http"
			}
		}
		return hactl.ParseTemplate(hactl.BuiltinTemplate(mode))
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
