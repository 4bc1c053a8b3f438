package rig

import (
	_ "embed" // the template
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// SeedTemplate is the general HAProxy template of the seed document, unchanged.
//
//go:embed haproxy.web.conf.template
var SeedTemplate string

// SeedConfig is one proxy of a configuration file like the example of the seed
// document. Zero values stand for the values of the example; Write fills them in.
type SeedConfig struct {
	Proxy   string // ngboss
	ZKAddr  string // empty: none
	ZKPath  string // /wade-web/${group}/instances
	HAProxy string // required: the executable that sbin/haproxy links to
	Workers int    // the number of socket_files: 2
	// ListenerPort and AdminPort default to free ports.
	ListenerPort, AdminPort int
	Template                string  // the text: SeedTemplate
	Groups                  []Group // SeedGroups
	// Extra has more keys, or other values of the keys above.
	Extra map[string]any

	home string // set by Write
}

// Group is one application of a [SeedConfig]. Zero values are omitted.
type Group struct {
	Name           string
	ZKPath         string
	ACLs           []string
	Mode           string
	Balance        string
	HTTPChk        string
	ServerTemplate string
	MaxServer      int
	DefaultBackend bool
	// Extra has more keys, or other values of the keys above.
	Extra map[string]any
}

// SeedGroups are the two applications of the example.
func SeedGroups() []Group {
	return []Group{
		{Name: "web-ngboss", HTTPChk: "GET /probe.jsp", DefaultBackend: true},
		{
			Name:           "web-basecentre",
			ZKPath:         "/wade-web/${group}/instances",
			ACLs:           []string{"path_beg -i /basecentre", "path_beg -i /testcentre"},
			Mode:           "http",
			Balance:        "roundrobin",
			HTTPChk:        "GET /basecentre/probe.jsp",
			ServerTemplate: "${group_name} 1-${max_server} 0.0.0.0:0 check inter 2000 rise 1 fall 2 disabled",
			MaxServer:      20,
		},
	}
}

// Write fills in zero values and writes the files of one proxy below home, see
// [WriteConfig].
func (c *SeedConfig) Write(home string) (string, error) { return WriteConfig(home, c) }

// WriteConfig fills in zero values and writes a configuration of these proxies below
// home, in the places of the example: sbin/haproxy, the templates in etc, an empty logs
// directory, and etc/web.config.json, whose path it returns. Everything in it is under
// `${HOME}`, so the daemon's HOME must be home. It may be called again with changed
// values; the proxies must share one HAProxy.
func WriteConfig(home string, proxies ...*SeedConfig) (string, error) {
	for _, dir := range []string{"sbin", "etc", "logs"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o755); err != nil {
			return "", fmt.Errorf("write the configuration: %w", err)
		}
	}
	var file object
	for _, c := range proxies {
		if err := c.fill(home); err != nil {
			return "", fmt.Errorf("write the configuration: %w", err)
		}
		if c.HAProxy != proxies[0].HAProxy {
			return "", fmt.Errorf("write the configuration: two HAProxies, %s and %s", proxies[0].HAProxy, c.HAProxy)
		}
		if err := link(c.HAProxy, filepath.Join(home, "sbin", "haproxy")); err != nil {
			return "", fmt.Errorf("write the configuration: %w", err)
		}
		if err := os.WriteFile(c.TemplateFile(), []byte(c.Template), 0o644); err != nil {
			return "", fmt.Errorf("write the configuration: %w", err)
		}
		file.set(c.Proxy, c.object())
	}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the configuration: %w", err)
	}
	path := filepath.Join(home, "etc", "web.config.json")
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return "", fmt.Errorf("write the configuration: %w", err)
	}
	return path, nil
}

func (c *SeedConfig) fill(home string) error {
	if c.HAProxy == "" {
		return errors.New("HAProxy is required")
	}
	c.home = home
	if c.Proxy == "" {
		c.Proxy = "ngboss"
	}
	if c.ZKPath == "" {
		c.ZKPath = "/wade-web/${group}/instances"
	}
	if c.Workers == 0 {
		c.Workers = 2
	}
	if c.Template == "" {
		c.Template = SeedTemplate
	}
	if c.Groups == nil {
		c.Groups = SeedGroups()
	}
	for _, port := range []*int{&c.ListenerPort, &c.AdminPort} {
		if *port != 0 {
			continue
		}
		free, err := FreePort()
		if err != nil {
			return err
		}
		*port = free
	}
	return nil
}

func (c *SeedConfig) object() object {
	var groups object
	for _, g := range c.Groups {
		groups = append(groups, member{g.Name, g.object()})
	}
	var o object
	if c.ZKAddr != "" {
		o.set("zk.addr", c.ZKAddr)
	}
	o.set("zk.path", c.ZKPath)
	o = append(o, member{"groups", groups})
	o.set("exec", "${HOME}/sbin/haproxy")
	o.set("template", c.file("${HOME}", "etc", "conf.template"))
	o.set("conf_file", c.file("${HOME}", "etc", "conf"))
	o.set("pid_file", c.file("${HOME}", "logs", "pid"))
	o.set("socket_files", c.sockets("${HOME}"))
	o.set("listener_port", c.ListenerPort)
	o.set("admin_port", c.AdminPort)
	o.merge(c.Extra)
	return o
}

func (g Group) object() object {
	var o object
	o.set("zk.path", g.ZKPath)
	o.set("acls", g.ACLs)
	o.set("mode", g.Mode)
	o.set("balance", g.Balance)
	o.set("httpchk", g.HTTPChk)
	o.set("server-template", g.ServerTemplate)
	o.set("max_server", g.MaxServer)
	o.set("default_backend", g.DefaultBackend)
	o.merge(g.Extra)
	return o
}

// file returns the path of one of the proxy's files below home.
func (c *SeedConfig) file(home, dir, suffix string) string {
	return filepath.Join(home, dir, "haproxy.web."+c.Proxy+"."+suffix)
}

// TemplateFile returns the template that Write writes. Like the paths below it is known
// once Write has been called.
func (c *SeedConfig) TemplateFile() string { return c.file(c.home, "etc", "conf.template") }

// ConfFile returns the rendered HAProxy configuration.
func (c *SeedConfig) ConfFile() string { return c.file(c.home, "etc", "conf") }

// PIDFile returns HAProxy's pid file.
func (c *SeedConfig) PIDFile() string { return c.file(c.home, "logs", "pid") }

// Sockets returns the stats sockets, one per worker.
func (c *SeedConfig) Sockets() []string { return c.sockets(c.home) }

func (c *SeedConfig) sockets(home string) []string {
	sockets := make([]string, c.Workers)
	for i := range sockets {
		sockets[i] = c.file(home, "logs", fmt.Sprintf("socket%d", i+1))
	}
	return sockets
}

// Left returns nil if no worker sends requests for a group to addr.
func (c *SeedConfig) Left(group, addr string) error {
	for _, socket := range c.Sockets() {
		servers, err := ServersState(socket)
		if err != nil {
			return err
		}
		if slices.Contains(Serving(servers, group), addr) {
			return fmt.Errorf("the worker behind %s still sends requests to %s", socket, addr)
		}
	}
	return nil
}

// Listener returns the `127.0.0.1:port` for requests.
func (c *SeedConfig) Listener() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.ListenerPort))
}

// link makes name a symbolic link to target, replacing an existing one.
func link(target, name string) error {
	target, err := filepath.Abs(target)
	if err != nil {
		return err
	}
	aside := name + ".new"
	if err := os.Symlink(target, aside); err != nil {
		return err
	}
	return os.Rename(aside, name)
}
