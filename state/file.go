package state

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	version = 1
	// maxFile has room for a few hundred thousand instances.
	maxFile = 16 << 20
)

// file is the JSON content of the file.
type file struct {
	Version int       `json:"version"`
	Proxy   string    `json:"proxy"`
	Origins []string  `json:"servers"`
	Saved   time.Time `json:"saved"`
	// Discovered are the names of the discovered groups, those known longest first; null
	// if none was ever listed.
	Discovered []string `json:"discovered"`
	Groups     []list   `json:"groups"`
}

// list is one group.
type list struct {
	Name      string   `json:"name"`
	Path      string   `json:"path"`
	Instances []string `json:"instances"`
	// Terms are those of some of the instances.
	Terms map[string]terms `json:"terms,omitempty"`
}

// terms are [registry.Terms].
type terms struct {
	Drain  bool  `json:"drain,omitempty"`
	Weight int16 `json:"weight,omitempty"`
}

var errTooBig = fmt.Errorf("it is longer than %d MB", maxFile>>20)

// parse decodes a file's text. The caller checks whose file it is.
func parse(text []byte) (file, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return file{}, fmt.Errorf("it is corrupt: %w", err)
	}
	if head.Version != version {
		return file{}, fmt.Errorf("its version is %d, but this haproxy-zk reads version %d", head.Version, version)
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return file{}, fmt.Errorf("it is corrupt: %w", err)
	}
	return f, nil
}

// mismatch returns why a file cannot be used for a proxy, or nil. Lists of another source
// must not be served; one server in common makes it the same ZooKeeper.
func (f file) mismatch(proxy string, origins []string) error {
	if f.Proxy != proxy {
		return fmt.Errorf("it belongs to proxy %.100q", f.Proxy)
	}
	if !slices.ContainsFunc(f.Origins, func(o string) bool { return slices.Contains(origins, o) }) {
		return fmt.Errorf("it is from another source, %.500q", strings.Join(f.Origins, ","))
	}
	return nil
}

// same reports whether two files are equal except for their time.
func (f file) same(other file) bool {
	f.Saved = other.Saved
	return reflect.DeepEqual(f, other)
}

// group decodes a list and skips invalid instances.
func (l list) group(decode func(string) (registry.Instance, error)) registry.Group {
	g := registry.Group{Name: l.Name, Instances: []registry.Instance{}}
	for _, text := range l.Instances {
		if instance, err := decode(text); err == nil {
			g.Instances = append(g.Instances, instance)
			if t, given := l.Terms[text]; given && t.Weight >= 0 && t.Weight <= registry.MostWeight {
				if g.Terms == nil {
					g.Terms = make(map[registry.Instance]registry.Terms)
				}
				g.Terms[instance] = registry.Terms{Drain: t.Drain, Weight: t.Weight}
			}
		}
	}
	g.Instances = registry.Sort(g.Instances)
	return g
}

func readFile(path string) (file, error) {
	text, err := readOwn(path)
	if err != nil {
		return file{}, err
	}
	return parse(text)
}

// write replaces the file atomically. If the new one would be too long to be read back,
// it fails and the old file stays: older lists are better than none.
func (f file) write(path string) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if len(text) > maxFile {
		return fmt.Errorf("%w: %d instances in %d groups take %d bytes", errTooBig, f.instances(), len(f.Groups), len(text))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return ownfile.ReplaceDurably(path, text, 0o600)
}

func (f file) instances() (n int) {
	for _, l := range f.Groups {
		n += len(l.Instances)
	}
	return n
}
