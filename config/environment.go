package config

import (
	"fmt"
	"slices"
	"strings"
)

// FromEnvironment returns the one proxy that variables describe, the whole
// environment by name; env.Lookup is not used. A variable that is empty counts
// as one that is not set. Everything else is as Load has it: the variables are
// read as the keys for which they stand, ${NAME} in them is replaced (not in
// secrets, nor by one), all that is wrong is told at once. The Key of a problem is the name of the variable.
// Files of secrets are read through env.ReadFile.
func FromEnvironment(env Environment, variables map[string]string) (*Config, []Problem, error) {
	env.Lookup = func(name string) (string, bool) {
		text, set := variables[name]
		// Else a message could quote the secret as part of another variable.
		return text, set && name != "ADMIN_PASSWORD" && name != "ZK_AUTH"
	}
	env.complete()
	e := &envReader{
		loader: &loader{env: env, report: &report{file: "environment", lineless: true}, variables: variableNames()},
		set:    variables,
		places: make(map[string]int),
	}
	for i, s := range slices.Concat(proxySettings(), groupSettings(), variableSettings()) {
		e.places[s.variable] = i + 1
	}
	p := e.proxy()
	e.settle()
	return e.result(&Config{Proxies: []Proxy{p}})
}

// EnvironmentConflicts returns which variables of FromEnvironment are set, in
// the order of their names. Beside a file they would mean a second
// configuration, but for those that the file itself mentions as ${NAME}: leave
// out of variables what Load asked its Environment.Lookup for.
func EnvironmentConflicts(variables map[string]string) []string {
	var names []string
	for _, s := range slices.Concat(proxySettings(), groupSettings(), variableSettings()) {
		if s.variable != "" && variables[s.variable] != "" {
			names = append(names, s.variable)
		}
	}
	slices.Sort(names)
	return names
}

// envReader turns variables into the tree that a file would have.
type envReader struct {
	*loader

	set map[string]string
	// places are where the variables stand in the reference, from 1 on: the
	// order of what is told about them.
	places map[string]int
}

// get returns the value of a variable. With an empty fallback there is no default.
func (e *envReader) get(name, fallback string) value {
	if text := e.set[name]; text != "" {
		return value{node: node{kind: isText, at: e.places[name], text: text}, key: name}
	}
	v := value{node: node{at: e.places[name]}, key: name, isDefault: true}
	if fallback != "" {
		v.kind, v.text = isText, fallback
	}
	return v
}

func (e *envReader) proxy() Proxy {
	e.refuse()
	name := e.name()
	workers, _ := interpret(e.loader, e.get("WORKERS", defaultWorkers), count(mostWorkers))
	groups := e.groups()
	tree := node{kind: isObject, members: e.members(proxySettings())}
	tree.members = append(tree.members, namedNode{name: "groups", node: groups.tree(e)})
	if name != "" {
		tree.members = append(tree.members, namedNode{name: "socket_files", node: e.sockets(name, workers)})
	}
	p := Proxy{Name: name}
	if o, ok := e.object(value{node: tree, key: "PROXY_NAME"}, ""); ok {
		p = o.proxy(name)
	}
	if p.Discover != nil {
		p.Discover.DefaultBackend = groups.fallback
	}
	p.Admin = e.admin()
	return p
}

// refuse reports what is set and does nothing.
func (e *envReader) refuse() {
	if v := e.get("SOCKET_FILES", ""); !v.missing() {
		e.errorf(v.at, v.key, "it stands for no key: the sockets are RUN_DIR/PROXY_NAME.N.sock: set RUN_DIR and WORKERS")
	}
	if v := e.get("ACLS", ""); !v.missing() {
		e.errorf(v.at, v.key, "it stands for no key: the groups have one condition here: set ACL")
	}
}

// members are the keys for which variables are set.
func (e *envReader) members(settings []setting) (members []namedNode) {
	tls := node{kind: isObject}
	for _, s := range settings {
		v := e.get(s.variable, "")
		if s.variable == "" || v.missing() {
			continue
		}
		if name, nested := strings.CutPrefix(s.key, tlsPrefix); nested {
			tls.at = v.at
			tls.members = append(tls.members, namedNode{name: name, node: v.node})
			continue
		}
		members = append(members, namedNode{name: s.key, node: v.node})
	}
	if len(tls.members) > 0 {
		members = append(members, namedNode{name: "zk.tls", node: tls})
	}
	return members
}

func (e *envReader) sockets(name string, workers int) node {
	n := node{kind: isArray}
	for i := range max(1, workers) {
		n.items = append(n.items, node{kind: isText, text: e.runFile(name, fmt.Sprintf("%d.sock", i+1))})
	}
	return n
}

// name returns the proxy's name, and none if that is wrong.
func (e *envReader) name() string {
	v := e.get("PROXY_NAME", defaultProxyName)
	name, ok := interpret(e.loader, v, anyText("a name"))
	if !ok {
		return ""
	}
	if err := checkProxyName(name); err != nil {
		e.errorf(v.at, v.key, "%v", err)
		return ""
	}
	return name
}

// admin reads who may change things on the stats page.
func (e *envReader) admin() Admin {
	v := e.get("ADMIN_USER", "")
	user, _ := interpret(e.loader, v, userName())
	password, set := e.secret(e.get("ADMIN_PASSWORD", ""), e.get("ADMIN_PASSWORD_FILE", ""), secret())
	switch {
	case set && v.missing():
		e.errorf(v.at, v.key, "the variable is missing, but there is a password: give %s", userName().give)
	case !set && !v.missing():
		v = e.get("ADMIN_PASSWORD", "")
		e.errorf(v.at, v.key, "the variable is missing, but there is ADMIN_USER: set it or ADMIN_PASSWORD_FILE")
	}
	return Admin{User: user, Password: password}
}
