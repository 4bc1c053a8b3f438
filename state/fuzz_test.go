package state

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// strict accepts only valid names and instances, and fails the test on any other.
type strict struct {
	t     *testing.T
	named *regexp.Regexp
}

func (s strict) SetGroup(g registry.Group) {
	if !s.named.MatchString(g.Name) {
		s.t.Errorf("group %q", g.Name)
	}
	sorted := slices.IsSortedFunc(g.Instances, func(a, b registry.Instance) int { return a.Addr.Compare(b.Addr) })
	if !sorted || len(slices.Compact(slices.Clone(g.Instances))) != len(g.Instances) {
		s.t.Errorf("instances %v", g.Instances)
	}
	for _, i := range g.Instances {
		if _, err := decode(i.String()); err != nil {
			s.t.Errorf("instance %v", i)
		}
	}
}

func (s strict) SetGroups(d registry.Discovered) {
	for _, name := range d.Names {
		if !s.named.MatchString(name) {
			s.t.Errorf("discovered %q", name)
		}
	}
}

// FuzzRecall checks that a file with any content yields only what would be accepted from
// ZooKeeper, and that its errors are one short line.
func FuzzRecall(f *testing.F) {
	const good = `{"version":1,"proxy":"web","servers":["zk1:2181"],"saved":"2026-01-02T03:04:05Z","discovered":["a"],"groups":[{"name":"a","path":"/services/a","instances":["10.0.0.1:80","x"]}]}`
	f.Add([]byte(good))
	f.Add([]byte(strings.Replace(good, `"a"`, `"a\nbackend b"`, 1)))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(``))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		named := regexp.MustCompile(`^[a-z0-9-]+$`)
		k, _ := newKeeper(dir)
		k.Sink = strict{t, named}
		k.Path = func(group string) string {
			if named.MatchString(group) {
				return "/services/" + group
			}
			return ""
		}
		if err := os.WriteFile(k.path(), text, 0o600); err != nil {
			t.Fatal(err)
		}
		k.Load()
		k.Recall()
		for _, name := range k.Recalled() {
			if !named.MatchString(name) {
				t.Errorf("recalled %q", name)
			}
		}
		again, err := json.Marshal(k.contents())
		if err != nil || !utf8.Valid(again) {
			t.Fatalf("what is kept cannot be written: %v", err)
		}
		if got, err := parse(again); err != nil || !got.same(k.contents()) {
			t.Errorf("%s is read as %+v, %v", again, got, err)
		}
		if err := (file{Proxy: string(text), Origins: []string{string(text)}}).mismatch("another", nil); len(err.Error()) > 2000 {
			t.Errorf("%d bytes of error", len(err.Error()))
		}
	})
}
