package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// socketDir is shorter than t.TempDir(), as a unix socket's path must be.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hz-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func only(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("in the folder: %q, want %q", got, want)
	}
}

func TestSocketIsPrivateWhateverTheUmask(t *testing.T) {
	old := unix.Umask(0)
	defer unix.Umask(old)
	dir := socketDir(t)
	path := filepath.Join(dir, socketName)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	only(t, dir, socketName)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	only(t, dir)
}

func TestOnlyStaleSocketIsReplaced(t *testing.T) {
	dir := socketDir(t)
	path := filepath.Join(dir, socketName)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	only(t, dir, socketName)

	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); !errors.Is(err, ErrInUse) {
		t.Errorf("a second one: %v", err)
	}
	only(t, dir, socketName)

	// Whoever took the place keeps it.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	next, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	l.Close()
	only(t, dir, socketName)
}

// A socket of another user must not prevent a start.
func TestAnotherUsersSocketIsReplaced(t *testing.T) {
	dir := socketDir(t)
	path := filepath.Join(dir, socketName)
	theirs, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil || int(stat.Uid) != os.Geteuid() || stat.Mode != unix.S_IFSOCK|0o600 {
		t.Errorf("uid %d, mode %o, %v", stat.Uid, stat.Mode, err)
	}
}

// A link is not a socket, and its target must not be replaced.
func TestSymlinkIsNotReplaced(t *testing.T) {
	dir := socketDir(t)
	victim := filepath.Join(dir, "victim")
	if err := errors.Join(os.WriteFile(victim, []byte("precious"), 0o600), os.Symlink(victim, filepath.Join(dir, socketName))); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(dir, socketName)); err == nil || !strings.Contains(err.Error(), "is not a socket: remove it") {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
		t.Errorf("the victim has %q, %v", text, err)
	}
}

func TestListenRejectsUnusablePaths(t *testing.T) {
	dir := socketDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file: "is not a socket",
		filepath.Join(dir, "missing", socketName):   "no such file",
		filepath.Join(dir, strings.Repeat("x", 99)): "a unix socket is 103",
	} {
		if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file: %q, %v", text, err)
	}
	only(t, dir, "file")
}
