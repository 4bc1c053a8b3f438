package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// nobody is a user that owns nothing here.
const nobody = 65534

// trap is a file that another user may have created at the path of one of ours.
type trap struct {
	name string
	set  func(path, victim string) error
}

var traps = []trap{
	{"symbolic link", func(path, victim string) error { return os.Symlink(victim, path) }},
	{"link to nothing", func(path, victim string) error { return os.Symlink(victim+".none", path) }},
	{"hard link", func(path, victim string) error { return os.Link(victim, path) }},
	{"FIFO", func(path, _ string) error { return unix.Mkfifo(path, 0o666) }},
	{"socket", func(path, _ string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err == nil {
			l.SetUnlinkOnClose(false)
			err = l.Close()
		}
		return err
	}},
	{"another user's file", func(path, _ string) error {
		return errors.Join(os.WriteFile(path, []byte("theirs"), 0o600), os.Chmod(path, 0o666), os.Chown(path, nobody, nobody))
	}},
}

// victim creates a file that must not be touched; check fails the test if it was.
func victim(t *testing.T, dir string) (path string, check func()) {
	t.Helper()
	path = filepath.Join(dir, "victim")
	if err := os.WriteFile(path, []byte("precious"), 0o640); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, func() {
		t.Helper()
		after, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := contents(t, path); got != "precious" || after.Mode() != before.Mode() || !os.SameFile(before, after) {
			t.Errorf("the victim has %q, mode %s", got, after.Mode())
		}
		if _, err := os.Lstat(path + ".none"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a file was made through a link: %v", err)
		}
	}
}

// isOurs fails the test unless path is a file of this user with the given mode and
// content.
func isOurs(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		t.Fatal(err)
	}
	if stat.Mode != unix.S_IFREG|uint32(mode) || int(stat.Uid) != os.Geteuid() || stat.Nlink != 1 {
		t.Errorf("%s: mode %o, uid %d, %d links", path, stat.Mode, stat.Uid, stat.Nlink)
	}
	if got := contents(t, path); got != content {
		t.Errorf("%s has %q", path, got)
	}
}

func TestWritesNeverFollowForeignFiles(t *testing.T) {
	for _, trap := range traps {
		for _, suffix := range []string{"", ownfile.AsideSuffix, backupSuffix} {
			t.Run(trap.name+" at "+suffix, func(t *testing.T) {
				dir := t.TempDir()
				precious, untouched := victim(t, dir)
				path := filepath.Join(dir, "web.cfg")
				if err := trap.set(path+suffix, precious); err != nil {
					t.Fatal(err)
				}
				k, err := makeBackup(path)
				if err == nil {
					err = ownfile.Replace(path, []byte("ours"), confMode)
				}
				if err == nil {
					err = k.discard()
				}
				if err != nil {
					t.Fatal(err)
				}
				isOurs(t, path, "ours", confMode)
				nothingBeside(t, path)
				untouched()
			})
		}
	}
}

func TestLockAndPIDFileRejectForeignFiles(t *testing.T) {
	remedies := map[string]string{
		"symbolic link": "is a symbolic link: remove it", "link to nothing": "is a symbolic link: remove it",
		"FIFO": "is not a regular file: remove it", "socket": "is not a regular file: remove it", "another user's file": "uid 65534",
	}
	for _, trap := range traps {
		remedy, refused := remedies[trap.name]
		t.Run(trap.name, func(t *testing.T) {
			dir := t.TempDir()
			precious, untouched := victim(t, dir)
			path := filepath.Join(dir, "web.pid")
			if err := trap.set(path, precious); err != nil {
				t.Fatal(err)
			}
			locked, locking := lock(path)
			if locking == nil {
				locked.Close()
			}
			_, reading := readPIDs(path)
			for what, err := range map[string]error{"lock": locking, "read": reading} {
				if refused && (err == nil || !strings.Contains(err.Error(), remedy) || !strings.Contains(err.Error(), path)) {
					t.Errorf("%s: %v, want %q", what, err, remedy)
				}
			}
			untouched()
		})
	}
}

func TestLogSocketReplacesForeignFile(t *testing.T) {
	old := unix.Umask(0)
	defer unix.Umask(old)
	for _, trap := range traps {
		t.Run(trap.name, func(t *testing.T) {
			dir := t.TempDir()
			precious, untouched := victim(t, dir)
			path := filepath.Join(dir, "web.log.sock")
			if err := trap.set(path, precious); err != nil {
				t.Fatal(err)
			}
			l, err := ListenLog(path, 0, failOnForeign(t), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			var stat unix.Stat_t
			if err := unix.Lstat(path, &stat); err != nil || stat.Mode != unix.S_IFSOCK|logSocketMode {
				t.Errorf("mode %o, %v", stat.Mode, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := l.Run(ctx); err != nil {
				t.Error(err)
			}
			untouched()
		})
	}
}

// In a directory like /tmp, files of others cannot be replaced: the error names the
// remedy.
func TestForeignFileInStickyDirectoryIsReported(t *testing.T) {
	dir, err := os.MkdirTemp("", "hz-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "web.cfg")
	if err := errors.Join(os.Chmod(dir, 0o777|os.ModeSticky), os.WriteFile(path+ownfile.AsideSuffix, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	text := asUser(t, nobody, "write", path)
	if !strings.Contains(text, "it belongs to uid 0: remove it, or use a directory that only this user can write to") {
		t.Errorf("it says %q", text)
	}
}

// A process that listens at the path of a stats socket could hand over its own
// listeners.
func TestForeignStatsSocketsAreRemoved(t *testing.T) {
	for _, trap := range append(traps, trap{"another user's socket", func(path, _ string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err == nil {
			l.SetUnlinkOnClose(false)
			err = errors.Join(l.Close(), os.Chown(path, nobody, nobody))
		}
		return err
	}}) {
		t.Run(trap.name, func(t *testing.T) {
			dir := t.TempDir()
			precious, untouched := victim(t, dir)
			h := New(Options{Sockets: []string{filepath.Join(dir, "1.sock"), filepath.Join(dir, "2.sock")}, Logger: slog.New(slog.DiscardHandler)})
			if err := trap.set(h.Sockets[1], precious); err != nil {
				t.Fatal(err)
			}
			if err := h.clearSockets(); err != nil {
				t.Fatal(err)
			}
			_, err := os.Lstat(h.Sockets[1])
			if left := err == nil; left != (trap.name == "socket") {
				t.Errorf("it still exists: %t", left)
			}
			untouched()
		})
	}
}
