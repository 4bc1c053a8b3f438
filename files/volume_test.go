package files

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// volume writes files like the kubelet: see AtomicWriter in
// https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go.
type volume struct {
	p       *place
	at      string // in the place
	version int
}

// write replaces all files at once.
func (v *volume) write(files map[string]string) {
	v.p.t.Helper()
	v.version++
	stamp := fmt.Sprintf("..2026_01_02_03_04_%02d.%09d", v.version%60, v.version)
	in := func(parts ...string) string { return filepath.Join(append([]string{v.at}, parts...)...) }
	v.p.mkdir(in(stamp))
	for name, text := range files {
		v.p.write(in(stamp, name), text)
	}
	before, _ := os.Readlink(v.p.path(in(volumeData))) // none at first
	v.p.must(os.Symlink(stamp, v.p.path(in("..data_tmp"))))
	v.p.must(os.Rename(v.p.path(in("..data_tmp")), v.p.path(in(volumeData))))
	visible := make(map[string]bool)
	for name := range files {
		first, _, _ := strings.Cut(name, "/")
		visible[first] = true
		if err := os.Symlink(volumeData+"/"+first, v.p.path(in(first))); err != nil && !errors.Is(err, os.ErrExist) {
			v.p.t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(v.p.path(v.at))
	v.p.must(err)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "..") && !visible[e.Name()] {
			v.p.remove(in(e.Name()))
		}
	}
	if before != "" {
		v.p.remove(in(before))
	}
}

func TestVolumesOfKubernetesAreUnderstood(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Reread = time.Hour })
	v := &volume{p: p}
	v.write(map[string]string{"web.instances": "10.0.0.1:80\n", "api/instances/10.0.0.2:80": ""})
	p.mkdir("shop/instances")
	sub := &volume{p: p, at: "shop/instances"} // mounted inside, with items whose paths are addresses
	sub.write(map[string]string{"10.0.0.3:80": ""})
	p.start()
	p.expect("web", "10.0.0.1:80")
	p.expect("api", "10.0.0.2:80")
	p.expect("shop", "10.0.0.3:80")

	v.write(map[string]string{"web.instances": "10.0.0.4:80\n", "api/instances/10.0.0.5:80": ""})
	sub.write(map[string]string{"10.0.0.6:80": ""})
	p.expect("web", "10.0.0.4:80")
	p.expect("api", "10.0.0.5:80")
	p.expect("shop", "10.0.0.6:80")
}

// Files of the old directory are missing while it is removed: a list read then would be
// short.
func TestReplacedVolumesAreReadWhole(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Reread = time.Millisecond })
	v := &volume{p: p}
	files := make(map[string]string)
	for i := range 20 {
		files[fmt.Sprintf("web/instances/10.0.0.%d:80", i+1)] = ""
		files[fmt.Sprintf("g%d.instances", i)] = "10.0.0.1:80\n"
	}
	v.write(files)
	p.start()
	p.eventually("all", func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.groups) < 21 {
			return fmt.Errorf("%d groups", len(p.groups))
		}
		return nil
	})
	for range 100 {
		v.write(files)
		p.lock(func() {
			for name, g := range p.groups {
				if n := len(g.Instances); name == "web" && n != 20 || name != "web" && n != 1 {
					t.Fatalf("%s has %d instances", name, n)
				}
			}
		})
	}
	p.lock(func() {
		if p.lists > 21 {
			t.Errorf("%d lists were passed on, although nothing changed", p.lists)
		}
	})
}

// A volume that links elsewhere is none.
func TestOnlyVolumesOfKubernetesAreFollowed(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Groups = []string{"web"} })
	outside := t.TempDir()
	p.must(os.WriteFile(filepath.Join(outside, "web.instances"), []byte("10.0.0.66:80"), 0o600))
	for name, target := range map[string]string{"absolute": outside, "upwards": "../" + filepath.Base(outside), "parent": "..", "plain": "data"} {
		p.must(os.Symlink(target, p.path(volumeData)))
		p.must(os.Symlink(volumeData+"/web.instances", p.path("web.instances")))
		root, err := openFolder(p.dir)
		p.must(err)
		tr := &tree{}
		if k, _, err := tr.look(root, "web.instances"); k != link || err != nil {
			t.Errorf("%s: %s %v", name, k, err)
		}
		tr.close()
		p.must(root.Close())
		p.remove(volumeData)
		p.remove("web.instances")
	}
}
