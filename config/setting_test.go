package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The keys that are read must match the reference.
func TestEveryKeyIsASetting(t *testing.T) {
	open := func() *object {
		l := &loader{env: environment(), report: newReport("f", nil)}
		n, err := parse([]byte(`{"groups": {}, "drain_timeout": 1}`))
		if err != nil {
			t.Fatal(err)
		}
		o, _ := l.object(value{node: n}, "")
		return o
	}
	proxy, group := open(), open()
	proxy.readProxy("web")
	group.readGroup("a", inherited{pattern: defaultZKPath})
	for name, test := range map[string]struct {
		settings []setting
		asked    []string
	}{
		"proxy": {proxySettings(), proxy.asked},
		"group": {groupSettings(), group.asked},
	} {
		var written []string
		for _, s := range test.settings {
			written = append(written, s.key)
		}
		slices.Sort(written)
		slices.Sort(test.asked)
		if diff := cmp.Diff(written, slices.Compact(test.asked)); diff != "" {
			t.Errorf("keys of a %s (-reference +reader):\n%s", name, diff)
		}
	}
}

// Writing each default of the reference into a file changes nothing.
func TestDefaultsOfKeys(t *testing.T) {
	file := func(proxy, group map[string]any) string {
		all := map[string]any{"zk.addr": "zk1:2181", "groups": map[string]any{"a": group}}
		maps.Copy(all, proxy)
		data, err := json.Marshal(map[string]any{"web": all})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	silent := must(t, file(nil, map[string]any{}))
	check := func(s setting, written string) {
		if diff := cmp.Diff(silent, must(t, written)); diff != "" {
			t.Errorf("%s (-without +with its default):\n%s", s.key, diff)
		}
	}
	for _, s := range proxySettings() {
		var written any = place(s.fallback, "web")
		if s.key == "socket_files" {
			written = []any{written}
		}
		if written != "" {
			check(s, file(map[string]any{s.key: written}, map[string]any{}))
		}
	}
	for _, s := range groupSettings() {
		if s.fallback != "" {
			check(s, file(nil, map[string]any{s.key: s.fallback}))
		}
	}
}

// The same for variables.
func TestDefaultsOfVariables(t *testing.T) {
	const address = "ZK_ADDR=zk1:2181\n"
	silent := describe(t, address)
	for _, s := range slices.Concat(proxySettings(), groupSettings(), variableSettings()) {
		if s.variable == "" || s.fallback == "" {
			continue
		}
		if diff := cmp.Diff(silent, describe(t, address+s.variable+"="+place(s.fallback, "default"))); diff != "" {
			t.Errorf("%s (-without +with its default):\n%s", s.variable, diff)
		}
	}
}

// No row of the reference has an empty column.
func TestEverySettingIsDescribed(t *testing.T) {
	for _, s := range slices.Concat(proxySettings(), groupSettings(), variableSettings()) {
		if s.allowed == "" || s.does == "" || s.fallback+s.otherwise == "" || s.key+s.variable == "" {
			t.Errorf("incomplete: %+v", s)
		}
	}
}

// place expands a default with the tests' directory and a name.
func place(fallback, name string) string {
	return strings.NewReplacer("RUN_DIR", "/run/haproxy-zk", "NAME", name).Replace(fallback)
}
