package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FromEnvironment returns the one proxy described by variables: the complete environment
// as returned by [Resolve]. env.Lookup is not used. An empty variable counts as not set.
// Otherwise it works like Load: variables are read like the keys for which they stand,
// ${NAME} in them is replaced (not in secrets, nor by secrets), and all problems are
// reported at once. The Key of a problem is the name under which the variable is set.
// Files of secrets are read through env.ReadFile.
func FromEnvironment(env Environment, variables map[string]string) (*Config, []Problem, error) {
	env.Lookup = func(name string) (string, bool) {
		text, set := variables[name]
		// Otherwise a message could quote the secret as part of another variable.
		return text, set && !slices.Contains(environmentSecrets(), name)
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
	p := e.readProxy()
	e.settle()
	cfg, warnings, err := e.result(&Config{Proxies: []Proxy{p}, Variables: variableNames()})
	renameKeys(warnings, variables)
	if problems, ok := errors.AsType[*Problems](err); ok {
		renameKeys(*problems, variables)
	}
	return cfg, warnings, err
}

// EnvironmentConflicts returns the sorted names of the variables of FromEnvironment that
// are set. Beside a file they would be a second configuration, unless the file itself
// references them as ${NAME}: remove from variables what Load passed to its
// Environment.Lookup.
func EnvironmentConflicts(variables map[string]string) []string {
	var names []string
	for _, name := range environmentNames() {
		if variables[name] != "" {
			names = append(names, Spell(name, variables))
		}
	}
	slices.Sort(names)
	return names
}

// envReader turns variables into the tree of a file.
type envReader struct {
	*loader

	set map[string]string
	// places are the positions of the variables in the reference, from 1 on, by which
	// problems are sorted.
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

func (e *envReader) readProxy() Proxy {
	e.rejectUnused()
	name := e.name()
	workers, _ := interpret(e.loader, e.get("WORKERS", defaultWorkers), count(maxWorkers))
	groups := e.readGroups()
	tree := node{kind: isObject, members: e.members(proxySettings())}
	tree.members = append(tree.members, namedNode{name: "groups", node: groups.tree(e)})
	if name != "" {
		tree.members = append(tree.members, namedNode{name: "socket_files", node: e.sockets(name, workers)})
	}
	p := Proxy{Name: name}
	if o, ok := e.object(value{node: tree, key: "PROXY_NAME"}, ""); ok {
		p = o.readProxy(name)
	}
	if p.Discover != nil {
		p.Discover.DefaultBackend = groups.defaultBackend
	}
	p.Admin = e.readAdmin()
	return p
}

// rejectUnused reports variables that are set but have no effect.
func (e *envReader) rejectUnused() {
	if v := e.get("SOCKET_FILES", ""); !v.missing() {
		e.errorf(v.at, v.key, "it has no effect, the sockets are RUN_DIR/PROXY_NAME.N.sock: set RUN_DIR and WORKERS")
	}
	if v := e.get("ACLS", ""); !v.missing() {
		e.errorf(v.at, v.key, "it has no effect, all groups have one condition: set ACL")
	}
}

// members returns the keys whose variables are set.
func (e *envReader) members(settings []setting) (members []namedNode) {
	objects := make(map[string]int) // their places in members
	for _, s := range settings {
		v := e.get(s.variable, "")
		if s.variable == "" || v.missing() {
			continue
		}
		object, name, nested := cutObject(s.key)
		if !nested {
			members = append(members, namedNode{name: s.key, node: v.node})
			continue
		}
		i, begun := objects[object]
		if !begun {
			i = len(members)
			objects[object] = i
			members = append(members, namedNode{name: object, node: node{kind: isObject}})
		}
		members[i].node.at = v.at
		members[i].node.members = append(members[i].node.members, namedNode{name: name, node: v.node})
	}
	return members
}

// cutObject splits the name of a key in the reference that belongs into an object.
func cutObject(key string) (object, name string, nested bool) {
	for _, prefix := range []string{tlsPrefix, serverTLSPrefix} {
		if name, nested := strings.CutPrefix(key, prefix); nested {
			return strings.TrimSuffix(prefix, "."), name, true
		}
	}
	return "", key, false
}

func (e *envReader) sockets(name string, workers int) node {
	n := node{kind: isArray}
	for i := range max(1, workers) {
		n.items = append(n.items, node{kind: isText, text: e.runFile(name, fmt.Sprintf("%d.sock", i+1))})
	}
	return n
}

// name returns the proxy's name, or "" if it is invalid.
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

// readAdmin reads the user who may make changes on the stats page.
func (e *envReader) readAdmin() Admin {
	v := e.get("ADMIN_USER", "")
	user, _ := interpret(e.loader, v, userName())
	password, set := e.readSecret(e.get("ADMIN_PASSWORD", ""), e.get("ADMIN_PASSWORD_FILE", ""), secretForm())
	switch {
	case set && v.missing():
		e.errorf(v.at, v.key, "the variable is missing, but there is a password: give %s", userName().give)
	case !set && !v.missing():
		v = e.get("ADMIN_PASSWORD", "")
		e.errorf(v.at, v.key, "the variable is missing, but there is ADMIN_USER: set it or ADMIN_PASSWORD_FILE")
	}
	return Admin{User: user, Password: password}
}
