package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Group is one application: a backend of HAProxy and a path in ZooKeeper.
type Group struct {
	// Name is the name of the group and its backend.
	Name string
	// Path is where the instances are registered, without the chroot: absolute, without a
	// trailing slash.
	Path string
	// Instances are static, in addition to the registered ones; sorted and unique.
	Instances []registry.Instance
	// Decoding is how the instances are registered.
	Decoding decode.Options
	// ACLs are conditions in HAProxy's language, as after `acl NAME`; one match is enough.
	// There may be none.
	ACLs []string
	// Route is the part of a request that names the group; there are no ACLs then.
	Route haproxy.Route
	// Mode is http or tcp.
	Mode string
	// Balance is HAProxy's algorithm; empty leaves it to the template.
	Balance string
	// HTTPCheck is the argument of `option httpchk`, as in "GET /probe.jsp"; empty means a
	// check that only connects.
	HTTPCheck string
	// Lines are the group's own lines of HAProxy's configuration, with the template's
	// placeholders not yet expanded.
	Lines []string
	// ServerTemplate is "PREFIX RANGE ADDRESS OPTIONS" with ${group_name}, ${min_server},
	// ${max_server} and ${ip_port} not yet expanded. Its range may be literal and then
	// differ from MaxServer.
	ServerTemplate string
	// MaxServer is the initial number of slots, at least 1.
	MaxServer int
	// DefaultBackend is true for the group that receives requests matched by no ACL; at most
	// one group has it.
	DefaultBackend bool
	// WaitCheck keeps requests from an instance until its first successful check.
	WaitCheck bool
	// ListenerPort is the port of a frontend for this group only; 0 is none.
	ListenerPort uint16
	// DrainTimeout is how long a deregistered instance keeps its sticky sessions.
	DrainTimeout time.Duration
	// LatencyHistogram is true if the durations of the group's requests are measured, from
	// HAProxy's log.
	LatencyHistogram bool
	// Carry is how the instances get servers.
	Carry haproxy.Carry
	// LossGuard is the percentage of the group's instances, 1 to 100, that must deregister
	// at once to be held.
	LossGuard int
	// TLS is how HAProxy speaks TLS to the instances; nil leaves it to ServerTemplate.
	TLS *ServerTLS
	// ServerClose is `option http-server-close`; nil lets HAProxy's version and the
	// template decide.
	ServerClose *bool
}

// inherited are settings of a proxy that its groups have unless they say otherwise.
type inherited struct {
	pattern   string // zk.path, empty if it is invalid
	histogram bool   // latency_histogram
	format    decode.Format
}

// of returns the default format of a group. Applications of any framework may have
// registered the discovered groups.
func (in inherited) of(name string) decode.Format {
	switch {
	case in.format != "":
		return in.format
	case name == anyGroup:
		return decode.Auto
	}
	return decode.IPPort
}

// readGroups reads the groups of a proxy, named and "*".
func (o *object) readGroups(in inherited) (groups []Group, discovery *Discovery) {
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
		o.warnf(v.at, v.key, "there is no group, so nothing is served: add one, or \"*\" to discover them")
	}
	inheriting := 0
	for _, m := range all.members {
		if err := checkName(m.name); err != nil && m.name != "*" {
			o.errorf(m.value.at, m.value.key, "%v", err)
		}
		g, ok := o.object(m.value, "an object with the keys of a group")
		if !ok {
			continue
		}
		if m.name == "*" {
			discovery = o.readDiscovery(g, in)
			continue
		}
		if g.get("zk.path", "").missing() && g.get("match", "").missing() {
			inheriting++
		}
		written := g.readGroup(m.name, in)
		if err := checkConditionName(m.name); err != nil && (len(written.ACLs) > 0 || written.Route != "") {
			o.errorf(m.value.at, m.value.key, "%v", err)
		}
		g.claimFor(written, in.pattern, o.key)
		groups = append(groups, written)
	}
	if inheriting > 1 && in.pattern != "" && !namesGroup(in.pattern) {
		shared := o.get("zk.path", "")
		o.errorf(shared.at, shared.key, "%d groups would have the same instances in %q: put ${group} into it", inheriting, in.pattern)
	}
	return groups, discovery
}

// readGroup reads one group, or with the name anyGroup the entry "*".
func (o *object) readGroup(name string, in inherited) Group {
	ours := strings.NewReplacer("${group}", name, "${app}", name)
	g := Group{
		Name:           name,
		Path:           ours.Replace(read(o, "zk.path", zkPath(), in.pattern)),
		Mode:           read(o, "mode", oneOf(modes()...), defaultMode),
		Balance:        read(o, "balance", balance(), ""),
		Route:          read(o, "route", route(), ""),
		HTTPCheck:      ours.Replace(read(o, "httpchk", httpCheck(), "")),
		MaxServer:      read(o, "max_server", count(haproxy.MaxSlots), defaultMaxServer),
		DefaultBackend: read(o, "default_backend", boolean(), defaultFlag),
		WaitCheck:      read(o, "wait_check", boolean(), defaultFlag),
		ListenerPort:   o.ownPort("listener_port", ""),
		DrainTimeout:   read(o, "drain_timeout", duration(0), defaultDrainTimeout),
		Carry:          read(o, "carry", carry(), defaultCarry),
		LossGuard:      read(o, "loss_guard", percentage(), defaultLossGuard),
		ServerClose:    read(o, "server_close", optional(boolean()), ""),
		Instances:      o.instances(),
	}
	g.LatencyHistogram = read(o, "latency_histogram", boolean(), strconv.FormatBool(in.histogram))
	g.Decoding = o.readDecoding(in.of(name))
	g.ServerTemplate = read(o, "server-template", serverTemplate(name, g.MaxServer), haproxy.DefaultServerTemplate)
	for _, v := range o.list("acls", "") {
		if condition, ok := interpret(o.loader, v, acl()); ok {
			g.ACLs = append(g.ACLs, ours.Replace(condition))
			o.warnOfJoined(v, condition)
		}
	}
	g.Lines = o.ownLines(g)
	o.readTransport(&g)
	o.checkRoute(g)
	if g.ServerTemplate != "" && !slices.Contains(strings.Fields(g.ServerTemplate), "disabled") {
		v := o.get("server-template", "")
		o.warnf(v.at, v.key, "the option \"disabled\" is missing: free slots are disabled anyway; add it for clarity")
	}
	if g.ServerTemplate != "" && !slices.Contains(strings.Fields(g.ServerTemplate), "check") {
		for _, key := range []string{"wait_check", "loss_guard"} {
			if v := o.get(key, ""); !v.missing() {
				o.warnf(v.at, v.key, "it has no effect: it depends on HAProxy's health checks, but the server-template has no \"check\"")
			}
		}
	}
	o.finish()
	return g
}

// warnOfJoined warns of a condition that looks like several: HAProxy treats an operator
// between them as one more pattern.
func (o *object) warnOfJoined(v value, condition string) {
	for _, word := range strings.Fields(condition)[1:] {
		if remedy := joins()[word]; remedy != "" {
			o.warnf(v.at, v.key, "HAProxy takes %q for one more pattern of the condition: %s", word, remedy)
			return
		}
	}
}

func joins() map[string]string {
	const either = "give each condition its own entry: one match is enough"
	const rule = "remove it and what follows, and put a rule with several conditions into the template"
	return map[string]string{"||": either, "or": either, "if": rule, "unless": rule, "{": rule, "}": rule}
}

// claimFor claims what two groups of the proxy cannot share.
func (o *object) claimFor(g Group, pattern, proxy string) {
	// In the environment all groups share one zk.path, which is checked separately.
	if g.Path != "" && o.variables == nil {
		o.claim(claim{
			what: fmt.Sprintf("the path %q%s of %s", g.Path, matchWords(g.Decoding.Match), proxy), by: o.get("zk.path", pattern),
			advice: "both groups have the same instances", harmless: true,
		})
	}
	if g.Route != "" {
		o.claim(claim{
			what: fmt.Sprintf("the name %q by %s of %s", strings.ToLower(g.Name), g.Route, proxy), by: o.get("route", ""),
			advice: "the case of names does not count: rename one of the groups",
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

func carry() form[haproxy.Carry] {
	f := oneOf(string(haproxy.CarrySlots), string(haproxy.CarryServers), string(haproxy.CarryBackends), string(haproxy.CarryAuto))
	return form[haproxy.Carry]{give: f.give, parse: func(text string) (haproxy.Carry, error) {
		way, err := f.parse(text)
		return haproxy.Carry(way), err
	}}
}

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
