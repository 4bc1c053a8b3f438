package state

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// nobody is a user that owns nothing here.
const nobody = 65534

// traps are files that another user may have created at the path of the file.
var traps = map[string]func(path, victim string) error{
	"symbolic link": func(path, victim string) error { return os.Symlink(victim, path) },
	"hard link":     func(path, victim string) error { return os.Link(victim, path) },
	"FIFO":          func(path, _ string) error { return unix.Mkfifo(path, 0o666) },
	"another user's file": func(path, victim string) error {
		text, err := os.ReadFile(victim)
		return errors.Join(err, os.WriteFile(path, text, 0o600), os.Chmod(path, 0o666), os.Chown(path, nobody, nobody)) //nolint:gosec // simulates another user
	},
}

// victim is a file of this kind that nothing may touch.
func victim(t *testing.T, dir string) (path string, untouched func()) {
	t.Helper()
	elsewhere := t.TempDir()
	kept(t, elsewhere, func(k *Keeper) { k.SetGroup(group("fixed", "10.6.6.6:80")) })
	path = filepath.Join(dir, "victim")
	if err := os.Rename(filepath.Join(elsewhere, "web.json"), path); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, func() {
		t.Helper()
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("the victim became %q, %v", after, err)
		}
	}
}

func TestCacheIsNeverWrittenThroughForeignFiles(t *testing.T) {
	for name, set := range traps {
		for _, suffix := range []string{"", ".new"} {
			t.Run(name+" at "+suffix, func(t *testing.T) {
				dir := t.TempDir()
				precious, untouched := victim(t, dir)
				path := filepath.Join(dir, "web.json")
				if err := set(path+suffix, precious); err != nil {
					t.Fatal(err)
				}
				kept(t, dir, func(k *Keeper) { k.SetGroup(group("fixed", "10.0.0.1:80")) })
				var stat unix.Stat_t
				if err := unix.Lstat(path, &stat); err != nil {
					t.Fatal(err)
				}
				if stat.Mode != unix.S_IFREG|0o600 || int(stat.Uid) != os.Geteuid() || stat.Nlink != 1 {
					t.Errorf("mode %o, uid %d, %d links", stat.Mode, stat.Uid, stat.Nlink)
				}
				if got, err := readFile(path); err != nil || got.instances() != 1 || got.Groups[0].Instances[0] != "10.0.0.1:80" {
					t.Errorf("%+v, %v", got, err)
				}
				untouched()
			})
		}
	}
}

// Whoever writes the file decides where requests go after a start without its source.
func TestCacheOfAnotherUserIsNotRecalled(t *testing.T) {
	for name, set := range traps {
		if name == "hard link" {
			continue // this user's own file
		}
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			precious, _ := victim(t, dir)
			if err := set(filepath.Join(dir, "web.json"), precious); err != nil {
				t.Fatal(err)
			}
			k, s := loaded(dir)
			k.Recall()
			if got := s.take(); len(got) > 0 {
				t.Errorf("recalled %q", got)
			}
		})
	}
}

// A file too long to be read back must not replace a readable one, or the next start
// would have nothing.
func TestCacheThatCannotBeReadBackIsNotWritten(t *testing.T) {
	dir := t.TempDir()
	kept(t, dir, func(k *Keeper) { k.SetGroup(group("fixed", "10.0.0.1:80")) })
	var said strings.Builder
	huge := make([]registry.Instance, 0, 1<<20)
	for range cap(huge) {
		huge = append(huge, group("", "10.0.0.2:65535").Instances[0])
	}
	kept(t, dir, func(k *Keeper) {
		k.Logger = slog.New(slog.NewTextHandler(&said, nil))
		k.SetGroup(registry.Group{Name: "fixed", Instances: huge})
	})
	if n := strings.Count(said.String(), "a start without its source would serve old instances or none"); n != 1 || !strings.Contains(said.String(), "longer than 16 MB: 1048576 instances in 1 groups") {
		t.Errorf("it says %q", said.String())
	}
	k, s := loaded(dir)
	k.Recall()
	if got := s.take(); len(got) != 1 || !strings.Contains(got[0], "10.0.0.1:80") {
		t.Errorf("recalled %q", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("in the folder: %v, %v", left, err)
	}
}
