package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"time"
)

// Proxy is one HAProxy: its listener, its files, and the applications behind it.
type Proxy struct {
	// Name is a word for HAProxy and an element of the query API's paths.
	Name string
	// ZooKeeper has no servers if instances are not registered there.
	ZooKeeper ZooKeeper
	// Dir is the directory of the instances; empty if there is none.
	Dir string
	// Groups are in the file's order, in which HAProxy tries their ACLs.
	// There may be none.
	Groups []Group
	// Discover finds more groups, which follow these; nil is none.
	Discover *Discovery

	// Exec is HAProxy's executable: absolute, or a name to be found on PATH.
	Exec string
	// Template is the file of the template; empty means the built-in one.
	Template string
	// ConfFile is the path of the rendered configuration.
	ConfFile string
	PIDFile  string
	// SocketFiles are the stats sockets, one per worker, at least one.
	SocketFiles []string

	ListenerPort uint16
	AdminPort    uint16
	Admin        Admin

	// CreatePaths creates the missing paths of Groups and Discover.Parent.
	CreatePaths bool

	// AllowNetworks restricts instances to these networks; empty allows all. DenyNetworks
	// excludes networks and has precedence. No network has bits set beyond its mask, and
	// IPv4 is never inside IPv6.
	AllowNetworks, DenyNetworks []netip.Prefix

	SessionTimeout time.Duration
	// HardStopAfter limits the life of a replaced worker; 0 is no limit.
	HardStopAfter time.Duration
	// ListenerHold is how long the listening sockets stay open while no process of HAProxy
	// serves; 0 closes them with the last process.
	ListenerHold time.Duration
	// StopDelay is how long the listeners stay open after a stop was requested; StopGrace is
	// how long connections may continue after that.
	StopDelay, StopGrace time.Duration
}

func (o *object) readProxy(name string) Proxy {
	groups, discovery := o.readGroups(inherited{
		pattern:   read(o, "zk.path", zkPath(), defaultZKPath),
		histogram: read(o, "latency_histogram", boolean(), defaultFlag),
		format:    read(o, "zk.format", zkFormat(), ""),
	})
	p := Proxy{
		Name:           name,
		ZooKeeper:      read(o, "zk.addr", zkAddr(), ""),
		Dir:            read(o, "dir", plainDir(), ""),
		Groups:         groups,
		Discover:       discovery,
		Exec:           read(o, "exec", executable(), DefaultExec),
		Template:       o.template(),
		ConfFile:       o.ownFile("conf_file", plainFile(), o.runFile(name, "cfg")),
		PIDFile:        o.ownFile("pid_file", wordFile(), o.runFile(name, "pid")),
		SocketFiles:    o.socketFiles(o.runFile(name, "1.sock")),
		ListenerPort:   o.ownPort("listener_port", defaultListenerPort),
		AdminPort:      o.ownPort("admin_port", defaultAdminPort),
		CreatePaths:    read(o, "create_paths", boolean(), defaultFlag),
		AllowNetworks:  o.networks("allow_networks"),
		DenyNetworks:   o.networks("deny_networks"),
		SessionTimeout: read(o, "session_timeout", duration(minSessionTimeout), defaultSessionTimeout),
		ListenerHold:   read(o, "listener_hold", duration(0), defaultListenerHold),
		StopDelay:      read(o, "stop_delay", duration(0), defaultStopDelay),
		StopGrace:      read(o, "stop_grace", duration(0), defaultStopGrace),
	}
	p.HardStopAfter = read(o, "hard_stop_after", duration(0), defaultHardStop(groups, discovery))
	p.ZooKeeper.Auth, _ = o.readSecret(o.get("zk.auth", ""), o.get("zk.auth_file", ""), zkAuth())
	p.ZooKeeper.SASL, _ = o.readSecret(o.get("zk.sasl", ""), o.get("zk.sasl_file", ""), zkSASL())
	p.ZooKeeper.TLS = o.readTLS()
	o.checkSources(p)
	o.checkMapFiles(p)
	o.finish()
	return p
}

// runFile returns a file's default path, or "" for a proxy with an invalid name, which is
// reported already.
func (l *loader) runFile(name, extension string) string {
	if checkName(name) != nil {
		return ""
	}
	return filepath.Join(l.env.RunDir, name+"."+extension)
}

// defaultHardStop cuts no connections if all groups are TCP: they may be meant to last.
func defaultHardStop(groups []Group, discovery *Discovery) string {
	isHTTP := func(g Group) bool { return g.Mode != "tcp" }
	if discovery != nil {
		groups = append(slices.Clone(groups), discovery.Entry)
	}
	if len(groups) == 0 || slices.ContainsFunc(groups, isHTTP) {
		return defaultHardStopHTTP
	}
	return defaultHardStopTCP
}

// ownPort reads a port on which nothing else may listen.
func (o *object) ownPort(key, fallback string) uint16 {
	v := o.get(key, fallback)
	n, ok := interpret(o.loader, v, port())
	if ok {
		advice := "each needs its own"
		if v.isDefault {
			advice = "a second proxy must name its own " + key
		}
		o.claim(claim{what: fmt.Sprintf("port %d", n), by: v, advice: advice})
	}
	return n
}

// ownFile reads the path of a file that nothing else may use.
func (o *object) ownFile(key string, f form[string], fallback string) string {
	return o.claimFile(o.get(key, fallback), f, false)
}

// template reads the path of a file that others may read too.
func (o *object) template() string { return o.sharedFile("template") }

func (o *object) sharedFile(key string) string {
	return o.claimFile(o.get(key, ""), plainFile(), true)
}

func (o *object) socketFiles(fallback string) (paths []string) {
	all := o.get("socket_files", fallback)
	if all.kind == isArray && len(all.items) == 0 {
		o.errorf(all.at, all.key, "the array is empty: give one path for each worker, or remove the key")
	}
	for _, v := range o.list("socket_files", fallback) {
		path := o.claimFile(v, socketFile(), false)
		if len(path) > safeSocket {
			o.warnf(v.at, v.key, "%q has %d bytes, but HAProxy needs room for a process id after it: use at most %d",
				path, len(path), safeSocket)
		}
		paths = append(paths, path)
	}
	return paths
}

func (o *object) claimFile(v value, f form[string], reads bool) string {
	path, ok := interpret(o.loader, v, f)
	if ok {
		o.claim(claim{what: fmt.Sprintf("file %q", filepath.Clean(path)), by: v, reads: reads, advice: "each needs its own"})
	}
	return path
}
