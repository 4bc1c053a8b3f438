package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Group is one application: a backend of HAProxy and a path in ZooKeeper.
type Group struct {
	// Name is the backend's.
	Name string
	// Path is where the instances are registered, below the chroot, which it
	// does not begin with: absolute, without a slash at its end.
	Path string
	// ACLs are conditions as HAProxy writes them behind `acl NAME`; one that
	// holds is enough. There may be none.
	ACLs []string
	// Mode is http or tcp.
	Mode    string
	Balance string
	// HTTPCheck is what `option httpchk` asks for, as in "GET /probe.jsp";
	// empty means a check by connecting.
	HTTPCheck string
	// ServerTemplate is "PREFIX RANGE ADDRESS OPTIONS" in which
	// ${group_name}, ${min_server}, ${max_server} and ${ip_port} are still to
	// be replaced. Its range may be literal and then differ from MaxServer.
	ServerTemplate string
	// MaxServer is the number of slots to begin with, at least 1.
	MaxServer int
	// DefaultBackend takes what no ACL takes; at most one group has it.
	DefaultBackend bool
	// WaitCheck keeps an instance out until its first good check.
	WaitCheck bool
	// ListenerPort is that of a frontend for this group alone; 0 is none.
	ListenerPort uint16
	// DrainTimeout is how long an instance that leaves keeps its sessions.
	DrainTimeout time.Duration
	// LossGuard is how many percent of the group's instances must leave at once
	// to be held, 1 to 100.
	LossGuard int
	// ServerClose is `option http-server-close`; nil leaves it to what
	// HAProxy's version needs.
	ServerClose *bool
}

// groups reads the groups of a proxy, written out and "*"; pattern is the
// proxy's zk.path, empty if that is wrong.
func (o *object) groups(pattern string) (groups []Group, discovery *Discovery) {
	const give = "an object whose keys are the names of the groups"
	o.require("groups", give)
	v := o.get("groups", "")
	if v.missing() {
		return nil, nil
	}
	all, ok := o.object(v, give)
	if !ok {
		return nil, nil
	}
	if len(all.members) == 0 {
		o.warnf(v.at, v.key, "there is no group, so that nothing is served: add one, or \"*\" to discover them")
	}
	heirs := 0
	for _, m := range all.members {
		if err := checkName(m.name); err != nil && m.name != "*" {
			o.errorf(m.value.at, m.value.key, "%v", err)
		}
		g, ok := o.object(m.value, "an object with the keys of a group")
		if !ok {
			continue
		}
		if m.name == "*" {
			discovery = o.discovery(g, pattern)
			continue
		}
		if g.get("zk.path", "").missing() {
			heirs++
		}
		written := g.group(m.name, pattern)
		if err := checkConditionName(m.name); err != nil && len(written.ACLs) > 0 {
			o.errorf(m.value.at, m.value.key, "%v", err)
		}
		g.claimFor(written, pattern, o.key)
		groups = append(groups, written)
	}
	if heirs > 1 && pattern != "" && !namesGroup(pattern) {
		shared := o.get("zk.path", "")
		o.errorf(shared.at, shared.key, "%d groups would have the same instances in %q: put ${group} into it", heirs, pattern)
	}
	return groups, discovery
}

// group reads one group, or with the name anyGroup what "*" says of all.
func (o *object) group(name, pattern string) Group {
	ours := strings.NewReplacer("${group}", name, "${app}", name)
	g := Group{
		Name:           name,
		Path:           ours.Replace(read(o, "zk.path", zkPath(), pattern)),
		Mode:           read(o, "mode", oneOf(modes()...), defaultMode),
		Balance:        read(o, "balance", balance(), defaultBalance),
		HTTPCheck:      ours.Replace(read(o, "httpchk", httpCheck(), "")),
		MaxServer:      read(o, "max_server", count(mostServers), defaultMaxServer),
		DefaultBackend: read(o, "default_backend", boolean(), defaultFlag),
		WaitCheck:      read(o, "wait_check", boolean(), defaultFlag),
		ListenerPort:   o.ownPort("listener_port", ""),
		DrainTimeout:   read(o, "drain_timeout", duration(0), defaultDrainTimeout),
		LossGuard:      read(o, "loss_guard", percentage(), defaultLossGuard),
		ServerClose:    read(o, "server_close", optional(boolean()), ""),
	}
	g.ServerTemplate = read(o, "server-template", serverTemplate(name, g.MaxServer), defaultServerTemplate)
	for _, v := range o.list("acls", "") {
		if condition, ok := interpret(o.loader, v, acl()); ok {
			g.ACLs = append(g.ACLs, ours.Replace(condition))
		}
	}
	if g.ServerTemplate != "" && !slices.Contains(strings.Fields(g.ServerTemplate), "disabled") {
		v := o.get("server-template", "")
		o.warnf(v.at, v.key, "the option \"disabled\" is missing: free slots are disabled all the same; add it so that the file says so")
	}
	if g.ServerTemplate != "" && !slices.Contains(strings.Fields(g.ServerTemplate), "check") {
		for _, key := range []string{"wait_check", "loss_guard"} {
			if v := o.get(key, ""); !v.missing() {
				o.warnf(v.at, v.key, "it does nothing: it goes by HAProxy's health checks, and the server-template has no \"check\"")
			}
		}
	}
	o.finish()
	return g
}

// claimFor claims what no two groups of the proxy whose key is given can have.
func (o *object) claimFor(g Group, pattern, proxy string) {
	// The environment has one zk.path for all groups, which is checked as such.
	if g.Path != "" && o.variables == nil {
		o.claim(claim{
			what: fmt.Sprintf("the path %q of %s", g.Path, proxy), by: o.get("zk.path", pattern),
			advice: "both groups have the same instances", harmless: true,
		})
	}
	if g.DefaultBackend {
		o.claim(claim{
			what: "the default backend of " + proxy, by: o.get("default_backend", ""),
			advice: "only one group can have it",
		})
	}
}

func modes() []string { return []string{"http", "tcp"} }

func balance() form[string] {
	return anyText("one of HAProxy's algorithms, as in roundrobin")
}

func acl() form[string] {
	f := anyText("a condition of HAProxy, as in path_beg -i /${group}")
	f.ours = []string{"group", "app"}
	return f
}

func httpCheck() form[string] {
	f := anyText("a method and a path, as in GET /probe.jsp")
	f.ours = []string{"group", "app"}
	f.mayBeEmpty = true
	f.parse = func(text string) (string, error) { return strings.TrimSpace(text), nil }
	return f
}
