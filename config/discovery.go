package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// anyGroup is the placeholder for the name of a discovered group.
const anyGroup = "${group}"

// Discovery finds groups in ZooKeeper: each child of Parent is the name of a group, except
// groups configured by name, which have precedence.
type Discovery struct {
	// Parent is the path whose children are the names, without the chroot: absolute, and
	// without a trailing slash unless it is "/".
	Parent string
	// Entry is the common configuration of the groups. Its Name is empty; ${group} stands
	// for the name in Path, ACLs, HTTPCheck, Lines and TLS. It is not a default backend and has
	// no port of its own.
	Entry Group
	// DefaultBackend is the name of the group that receives requests matched by no ACL, once
	// it is discovered; empty is none.
	DefaultBackend string
}

// Path returns where the instances of a group are registered, without the chroot.
func (d *Discovery) Path(group string) string {
	return strings.ReplaceAll(d.Entry.Path, anyGroup, group)
}

// Group returns the group of a discovered name. It shares no mutable data with other
// calls, except the value of ServerClose and Decoding. The error says why the name is unsafe; it is
// one line whatever the name's length and bytes.
func (d *Discovery) Group(name string) (Group, error) {
	if err := checkDiscoveredName(name); err != nil {
		return Group{}, err
	}
	g := d.Entry
	if prefix := strings.Fields(g.ServerTemplate); len(prefix) > 0 && !isPrefix(prefix[0], name) {
		return Group{}, fmt.Errorf("%q cannot be a group's name: the servers' names begin with it, and HAProxy takes no colon there", name)
	}
	g.Name = name
	g.Path = d.Path(name)
	g.HTTPCheck = strings.ReplaceAll(g.HTTPCheck, anyGroup, name)
	if g.TLS != nil {
		own := *g.TLS
		own.ServerName = strings.ReplaceAll(own.ServerName, anyGroup, name)
		g.TLS = &own
	}
	g.Lines = slices.Clone(g.Lines)
	for i, line := range g.Lines {
		if strings.HasPrefix(name, "-") && slices.ContainsFunc(strings.Fields(line), func(word string) bool { return strings.HasPrefix(word, anyGroup) }) {
			return Group{}, fmt.Errorf("%q cannot be a group's name: a word of its lines begins with it, and HAProxy takes that for an option", name)
		}
		g.Lines[i] = strings.ReplaceAll(line, anyGroup, name)
	}
	g.ACLs = slices.Clone(g.ACLs)
	for i, acl := range g.ACLs {
		if strings.HasPrefix(name, "-") && slices.ContainsFunc(strings.Fields(acl), func(word string) bool { return strings.HasPrefix(word, anyGroup) }) {
			return Group{}, fmt.Errorf("%q cannot be a group's name: a word of its condition begins with it, and HAProxy takes that for an option", name)
		}
		g.ACLs[i] = strings.ReplaceAll(acl, anyGroup, name)
	}
	g.DefaultBackend = name == d.DefaultBackend
	return g, nil
}

// defaultACLs are the ACLs of a group of ZK_GROUPS: `web` does not match requests for
// `web-admin`.
func defaultACLs() []string {
	return []string{"path -i /" + anyGroup, "path_beg -i /" + anyGroup + "/"}
}

// readDiscovery reads the entry "*" of the proxy o, like readGroup.
func (o *object) readDiscovery(entry *object, in inherited) *Discovery {
	d := &Discovery{Entry: entry.readGroup(anyGroup, in)}
	d.Entry.Name = ""
	if d.Entry.DefaultBackend {
		v := entry.get("default_backend", "")
		o.errorf(v.at, v.key, "the discovered groups cannot all be the default backend: configure that group by name, beside \"*\"")
	}
	if v := entry.get("instances", ""); !v.missing() {
		o.errorf(v.at, v.key, "the discovered groups cannot share instances: configure the group that has them by name, beside \"*\"")
	}
	if v := entry.get("listener_port", ""); !v.missing() {
		o.errorf(v.at, v.key, "the discovered groups cannot share a port: configure the group that has it by name, beside \"*\"")
	}
	if d.Entry.Path != "" {
		var whole bool
		if d.Parent, whole = parentOf(d.Entry.Path); !whole {
			v := entry.get("zk.path", "")
			if v.missing() {
				v = o.get("zk.path", "")
			}
			o.errorf(v.at, v.key, "%q does not say where the group names are: make ${group} a whole element of the path, as in %s",
				d.Entry.Path, defaultZKPath)
		}
	}
	switch v := entry.get("acls", ""); {
	case !v.missing():
		named := func(acl string) bool { return strings.Contains(acl, anyGroup) }
		if len(d.Entry.ACLs) > 0 && !slices.ContainsFunc(d.Entry.ACLs, named) {
			o.warnf(v.at, v.key, sameACLs)
		}
	case d.Entry.Mode == "tcp" && o.variables == nil:
		o.warnf(entry.at, v.key, "discovered groups of mode tcp have no default acls, so nothing reaches them: add some")
	case d.Entry.Mode != "tcp" && d.Entry.Route == "":
		d.Entry.Route = haproxy.RoutePath
	}
	return d
}

const sameACLs = "all groups have the same conditions, so only the first is reached: put ${group} into one"

// parentOf returns the part of a path before ${group}, and whether ${group} is a whole
// element.
func parentOf(path string) (parent string, whole bool) {
	elements := strings.Split(path, "/")
	i := slices.IndexFunc(elements, func(element string) bool { return strings.Contains(element, anyGroup) })
	if i < 0 {
		return "", false
	}
	return cmp.Or(strings.Join(elements[:i], "/"), "/"), elements[i] == anyGroup
}
