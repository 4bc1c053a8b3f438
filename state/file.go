package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	version = 1
	// maxFile is some hundred thousand instances.
	maxFile = 16 << 20
)

// file is what stands in it, as JSON.
type file struct {
	Version int       `json:"version"`
	Proxy   string    `json:"proxy"`
	Servers []string  `json:"servers"`
	Saved   time.Time `json:"saved"`
	// Discovered are the names of the discovered groups; null: none was ever listed.
	Discovered []string `json:"discovered"`
	Groups     []list   `json:"groups"`
}

// list is one group.
type list struct {
	Name      string   `json:"name"`
	Path      string   `json:"path"`
	Instances []string `json:"instances"`
}

var errBig = fmt.Errorf("it is longer than %d MB", maxFile>>20)

// parse reads a file's text. Whose file it is has to be asked beside.
func parse(text []byte) (file, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return file{}, fmt.Errorf("it is damaged: %w", err)
	}
	if head.Version != version {
		return file{}, fmt.Errorf("its version is %d, this haproxy-zk reads %d", head.Version, version)
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return file{}, fmt.Errorf("it is damaged: %w", err)
	}
	return f, nil
}

// foreign says why a file is not that of a proxy; nil if it is. Lists of another
// ZooKeeper are not to be served: one server in common is enough to be the same.
func (f file) foreign(proxy string, servers []string) error {
	if f.Proxy != proxy {
		return fmt.Errorf("it is that of the proxy %.100q", f.Proxy)
	}
	if !slices.ContainsFunc(f.Servers, func(s string) bool { return slices.Contains(servers, s) }) {
		return fmt.Errorf("it is of another ZooKeeper, %.500q", strings.Join(f.Servers, ","))
	}
	return nil
}

// same tells whether two files differ in nothing but their time.
func (f file) same(other file) bool {
	f.Saved = other.Saved
	return reflect.DeepEqual(f, other)
}

// group decodes a list; what is no instance is left out.
func (l list) group(decode func(string) (registry.Instance, error)) registry.Group {
	g := registry.Group{Name: l.Name, Instances: []registry.Instance{}}
	for _, text := range l.Instances {
		if instance, err := decode(text); err == nil {
			g.Instances = append(g.Instances, instance)
		}
	}
	g.Instances = registry.Sort(g.Instances)
	return g
}

func readFile(path string) (file, error) {
	opened, err := os.Open(path)
	if err != nil {
		return file{}, err
	}
	defer opened.Close()
	text, err := io.ReadAll(io.LimitReader(opened, maxFile+1))
	if err != nil {
		return file{}, err
	}
	if len(text) > maxFile {
		return file{}, errBig
	}
	return parse(text)
}

// write puts the file in the place of the one before: whoever reads finds the
// one or the other, whenever the machine stops.
func (f file) write(path string) (err error) {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	aside := path + ".new"
	w, err := os.OpenFile(aside, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	if err = errors.Join(err, w.Chmod(0o600), w.Sync(), w.Close()); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	if err := os.Rename(aside, path); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
