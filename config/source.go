package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// plainDir is a directory independent of the working directory. Slashes at its end are
// removed.
func plainDir() form[string] {
	return form[string]{
		give: "an absolute path of a directory, as in /srv/services",
		parse: func(path string) (string, error) {
			trimmed := strings.TrimRight(path, "/")
			if trimmed == "" {
				return "", fmt.Errorf("%q is the root directory", path)
			}
			return absolute(trimmed)
		},
	}
}

const (
	giveInstance = "an address with a port, as in 10.0.0.9:80 or [fd00::9]:80"
	// maxWritten bounds the instances written in a group.
	maxWritten = 10_000
)

// instances reads the instances that are written in a group.
func (o *object) instances() (all []registry.Instance) {
	list := o.list("instances", "")
	if len(list) > maxWritten {
		v := o.get("instances", "")
		o.errorf(v.at, v.key, "%d instances: give at most %d, and register the others", len(list), maxWritten)
		return nil
	}
	for _, v := range list {
		if i, ok := interpret(o.loader, v, form[registry.Instance]{give: giveInstance, parse: decode.Address}); ok {
			all = append(all, i)
		}
	}
	return registry.Sort(all)
}

// checkSources reports groups without a source of instances, and keys of ZooKeeper without
// ZooKeeper.
func (o *object) checkSources(p Proxy) {
	v := o.get("zk.addr", "")
	if !v.missing() {
		return
	}
	registers := func(g Group) bool { return len(g.Instances) == 0 }
	if o.get("dir", "").missing() && (p.Discover != nil || len(p.Groups) == 0 || slices.ContainsFunc(p.Groups, registers)) {
		what, or := "key", "set dir to the directory of the instances, or write `instances` into each group"
		if o.variables != nil {
			what, or = "variable", "set SERVICES_DIR to the directory of the instances"
		}
		o.errorf(v.at, v.key, "the %s is missing: give %s; or %s", what, zkAddr().give, or)
		return
	}
	for _, key := range []string{"zk.auth", "zk.auth_file", "zk.tls", "create_paths", "session_timeout"} {
		if unused := o.get(key, ""); !unused.missing() {
			o.warnf(unused.at, unused.key, "it has no effect without %s", v.key)
		}
	}
}
