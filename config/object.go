package config

import (
	"cmp"
	"strconv"
)

// value is a JSON value with the path of its key. The value of a missing key is its
// default, at the position of the object that lacks it.
type value struct {
	node

	key       string
	isDefault bool
}

// missing reports whether the key is absent and has no default.
func (v value) missing() bool { return v.kind == "" }

// object reads a JSON object key by key and records the keys that were read.
type object struct {
	*loader
	value

	members []member
	asked   []string
}

type member struct {
	name  string
	value value
}

// object opens v, or reports that it is not an object. Of duplicate members it keeps the
// first and reports the others.
func (l *loader) object(v value, give string) (*object, bool) {
	if v.kind != isObject {
		l.errorf(v.at, v.key, "found %s: give %s", v.kind, give)
		return nil, false
	}
	o := &object{loader: l, value: v}
	first := make(map[string]int)
	for _, m := range v.members {
		key := l.join(v.key, m.name)
		if at, twice := first[m.name]; twice {
			l.errorf(m.node.at, key, "the key is already set in line %d: remove one of them", l.line(at))
			continue
		}
		first[m.name] = m.node.at
		o.members = append(o.members, member{name: m.name, value: value{node: m.node, key: key}})
	}
	return o, true
}

// join appends a name to the path of a key; an ambiguous name is quoted. For the
// environment it returns the name of the variable: all groups share them, and an invalid
// group name is a problem of the variable that contains it.
func (l *loader) join(path, name string) string {
	if l.variables != nil {
		if _, _, opens := cutObject(name + "."); opens {
			return name // which begins the names of its keys
		}
		return cmp.Or(l.variables[path+"."+name], l.variables[name], path)
	}
	if checkName(name) != nil {
		name = strconv.Quote(name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// get returns the value of a key. With an empty fallback there is no default.
func (o *object) get(key, fallback string) value {
	o.asked = append(o.asked, key)
	for _, m := range o.members {
		if m.name == key {
			return m.value
		}
	}
	v := value{node: node{at: o.at}, key: o.join(o.key, key), isDefault: true}
	if fallback != "" {
		v.kind, v.text = isText, fallback
	}
	return v
}

// list returns the values of a key whose value is an array of strings. With an empty
// fallback the default is an empty list.
func (o *object) list(key, fallback string) []value {
	v := o.get(key, fallback)
	switch {
	case v.missing():
		return nil
	case v.isDefault:
		return []value{v}
	case v.kind != isArray:
		o.errorf(v.at, v.key, "found %s: give an array of strings", v.kind)
		return nil
	}
	items := make([]value, len(v.items))
	for i, n := range v.items {
		items[i] = value{node: n, key: o.item(v.key, i)}
	}
	return items
}

func (l *loader) item(path string, i int) string {
	if l.variables != nil {
		return path
	}
	return path + "[" + strconv.Itoa(i) + "]"
}

// require reports a missing key.
func (o *object) require(key, give string) {
	if v := o.get(key, ""); v.missing() {
		what := "key"
		if o.variables != nil {
			what = "variable"
		}
		o.errorf(v.at, v.key, "the %s is missing: give %s", what, give)
	}
}

// finish warns of the keys that were not read.
func (o *object) finish() {
	known := make(map[string]bool)
	for _, key := range o.asked {
		known[key] = true
	}
	for _, m := range o.members {
		if known[m.name] {
			continue
		}
		if near, ok := Nearest(m.name, o.asked); ok {
			o.warnf(m.value.at, m.value.key, "unknown key, ignored: did you mean %q?", near)
		} else {
			o.warnf(m.value.at, m.value.key, "unknown key, ignored")
		}
	}
}
