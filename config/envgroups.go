package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// envGroups are the groups described by variables.
type envGroups struct {
	// names are those of ZK_GROUPS; without any, groups are discovered.
	names          []string
	defaultBackend string
	tcp            bool
}

// readGroups reads the variables that determine the groups.
func (e *envReader) readGroups() envGroups {
	list := e.get("ZK_GROUPS", "")
	names, ok := interpret(e.loader, list, groupNames())
	if !ok && !list.missing() {
		// Any group allows the rest to be read.
		return envGroups{names: []string{"group"}}
	}
	mode, _ := interpret(e.loader, e.get("MODE", defaultMode), oneOf(modes()...))
	v := e.get("DEFAULT_BACKEND", "")
	fallback, _ := interpret(e.loader, v, anyText("a group's name"))
	g := envGroups{names: names, defaultBackend: fallback, tcp: mode == "tcp"}
	if g.tcp && len(names) != 1 {
		e.errorf(list.at, list.key, "MODE=tcp allows exactly one group, but there are %d: name it, as in ZK_GROUPS=redis", len(names))
	} else if g.tcp && fallback == "" {
		g.defaultBackend = names[0]
	}
	if fallback != "" && len(names) > 0 && !slices.Contains(names, fallback) {
		e.errorf(v.at, v.key, "%q is not in ZK_GROUPS: give one of %s", fallback, strings.Join(names, ", "))
	}
	if fallback != "" && len(names) == 0 {
		if err := checkDiscoveredName(fallback); err != nil {
			e.errorf(v.at, v.key, "%v", err)
		}
	}
	if v := e.get("ACL", ""); !v.missing() {
		text, _ := interpret(e.loader, v, condition())
		if len(names) != 1 && text != "" && !strings.Contains(text, "${group}") && !strings.Contains(text, "${app}") {
			e.warnf(v.at, v.key, sameACLs)
		}
	}
	return g
}

// tree returns what a file would have for the key `groups`.
func (g envGroups) tree(e *envReader) node {
	names := g.names
	if len(names) == 0 {
		names = []string{"*"}
	}
	tree := node{kind: isObject, at: e.places["ZK_GROUPS"]}
	for _, name := range names {
		group := node{kind: isObject, at: tree.at, members: e.members(groupSettings())}
		add := func(key string, n node) {
			group.members = append(group.members, namedNode{name: key, node: n})
		}
		if v := e.get("ACL", ""); !v.missing() {
			add("acls", node{kind: isArray, at: v.at, items: []node{v.node}})
		} else if len(g.names) > 0 && !g.tcp && e.get("ROUTE", "").missing() {
			acls := node{kind: isArray, at: v.at}
			for _, acl := range defaultACLs() {
				acls.items = append(acls.items, node{kind: isText, at: v.at, text: acl})
			}
			add("acls", acls)
		}
		if name == g.defaultBackend {
			add("default_backend", node{kind: isFlag, at: tree.at, text: "true"})
		}
		tree.members = append(tree.members, namedNode{name: name, node: group})
	}
	return tree
}

func groupNames() form[[]string] {
	return form[[]string]{
		give: "names separated by commas, as in web-a,web-b",
		parse: func(text string) ([]string, error) {
			var names []string
			for name := range strings.SplitSeq(text, ",") {
				name = strings.TrimSpace(name)
				switch {
				case name == "":
					return nil, fmt.Errorf("%q has an empty name", text)
				case name == "*":
					return nil, errStarListed
				case slices.Contains(names, name):
					return nil, fmt.Errorf("%q is listed twice", name)
				}
				names = append(names, name)
			}
			return names, nil
		},
	}
}

var (
	errStarListed  = errors.New("\"*\" is not a name, and without ZK_GROUPS groups are discovered")
	errSeveralACLs = errors.New("it has a semicolon, but only one condition is allowed")
)

// condition is the condition of all groups.
func condition() form[string] {
	f := acl()
	f.parse = func(text string) (string, error) {
		if strings.Contains(text, ";") {
			return "", errSeveralACLs
		}
		return text, nil
	}
	return f
}
