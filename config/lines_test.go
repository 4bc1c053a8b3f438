package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	errNoFile   = errors.New("no such file")
	errOtherKey = errors.New("it contradicts: set another key")
)

// withLines returns an environment with a file of lines, in which `mode` is rejected.
func withLines(file string) Environment {
	env := environment()
	env.ReadFile = func(path string) ([]byte, error) {
		if path != "/etc/web.lines" {
			return nil, errNoFile
		}
		return []byte(file), nil
	}
	env.CheckLine = func(_ Group, line string) error {
		if strings.HasPrefix(line, "mode") {
			return errOtherKey
		}
		return nil
	}
	return env
}

func TestOwnLinesComeFromKeyThenFile(t *testing.T) {
	const text = `{"web": {"zk.addr": "zk1:2181", "groups": {"shop": {
		"lines": ["timeout server 5m", "http-request set-header X-App ${group}", "option x ${PORT} $listener_port ${listener_port}"],
		"lines_file": "/etc/web.lines"}}}}`
	cfg, warnings, err := Load("f", []byte(text), withLines("# sticky\r\n\r\n  stick-table type ip size 1m\r\nstick on src"))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %v", err, warnings)
	}
	want := []string{"timeout server 5m", "http-request set-header X-App shop", "option x 8443 $listener_port ${listener_port}", "stick-table type ip size 1m", "stick on src"}
	if diff := cmp.Diff(want, cfg.Proxies[0].Groups[0].Lines); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestOwnLinesOfDiscoveredGroupsExpandGroup(t *testing.T) {
	cfg, _, err := Load("f", []byte(`{"web": {"zk.addr": "zk1:2181", "groups": {"*": {"lines": ["http-request set-header X-App ${group}"]}}}}`), withLines(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		g, err := cfg.Proxies[0].Discover.Group(name)
		if err != nil || len(g.Lines) != 1 || g.Lines[0] != "http-request set-header X-App "+name {
			t.Errorf("%s: %q, %v", name, g.Lines, err)
		}
	}
	if _, err := cfg.Proxies[0].Discover.Group("-f"); err == nil {
		t.Error("a name that HAProxy takes for an option becomes a word of a line")
	}
}

func TestInvalidOwnLines(t *testing.T) {
	many := strings.Repeat(`"timeout server 5m",`, 10000)
	for _, test := range []struct {
		name, keys, file string
		says             []string
	}{
		{"no array", `"lines": "timeout server 5m"`, "", []string{"web.groups.a.lines: found a string: give an array"}},
		{"wrong types", `"lines": [1, {}, null]`, "", []string{"lines[0]: found a number", "lines[1]: found an object", "lines[2]: found null"}},
		{"a line break", `"lines": ["timeout server 5m\nlisten x"]`, "", []string{"lines[0]", "line break"}},
		{"empty", `"lines": [" "]`, "", []string{"lines[0]", "empty"}},
		{"a contradiction", `"lines": ["timeout server 5m", "mode tcp"]`, "", []string{`lines[1]: "mode tcp": it contradicts: set another key`}},
		{"in the file", `"lines_file": "/etc/web.lines"`, "# one\ntimeout server 5m\nmode tcp\n", []string{`lines_file (/etc/web.lines:3): "mode tcp"`}},
		{"no file", `"lines_file": "/etc/none"`, "", []string{"lines_file", "no such file"}},
		{"a relative file", `"lines_file": "lines"`, "", []string{"lines_file", "absolute path"}},
		{"an unset variable", `"lines": ["timeout server ${NOT_SET}"]`, "", []string{"lines[0]", "${NOT_SET}"}},
		{"ten thousand", `"lines": [` + strings.TrimSuffix(many, ",") + `]`, "", []string{"10000 lines: give at most 1000"}},
		{"long", fmt.Sprintf(`"lines": ["description %s"]`, strings.Repeat("x", maxLinesBytes)), "", []string{"bytes: give at most 65536"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, _, err := Load("f", []byte(`{"web": {"zk.addr": "zk1:2181", "groups": {"a": {`+test.keys+`}}}}`), withLines(test.file))
			if cfg != nil || err == nil {
				t.Fatalf("it loads: %v", err)
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%.500s\ndoes not say %q", err, says)
				}
			}
		})
	}
}

func TestJoinedConditionsCauseWarning(t *testing.T) {
	for acl, says := range map[string]string{
		"path_beg /a || path_beg /b":    `"||"`,
		"path_beg /a or path_beg /b":    `"or"`,
		"path_beg /a if { src 1.2.3.4}": `"if"`,
		"path_beg /a /b":                "",
		"hdr(host) -i or.example.com":   "",
	} {
		_, warnings, err := Load("f", []byte(fmt.Sprintf(`{"web": {"zk.addr": "zk1:2181", "groups": {"a": {"acls": [%q]}}}}`, acl)), environment())
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case says == "" && len(warnings) > 0:
			t.Errorf("%q: %v", acl, warnings)
		case says != "" && (len(warnings) != 1 || !strings.Contains(warnings[0].String(), "f:1: web.groups.a.acls[0]") || !strings.Contains(warnings[0].String(), says)):
			t.Errorf("%q: %v", acl, warnings)
		}
	}
}
