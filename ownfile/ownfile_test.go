package ownfile

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is a user that owns nothing here.
const nobody = 65534

// traps are what another user may have created at the path of a file.
func traps() map[string]func(path, victim string) error {
	return map[string]func(path, victim string) error{
		"symbolic link":   func(path, victim string) error { return os.Symlink(victim, path) },
		"link to nothing": func(path, victim string) error { return os.Symlink(victim+".none", path) },
		"hard link":       func(path, victim string) error { return os.Link(victim, path) },
		"FIFO":            func(path, _ string) error { return unix.Mkfifo(path, 0o666) },
		"socket": func(path, _ string) error {
			listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				return err
			}
			listener.SetUnlinkOnClose(false)
			return listener.Close()
		},
		"another user's file": func(path, _ string) error {
			return errors.Join(os.WriteFile(path, []byte("theirs"), 0o600), os.Chown(path, nobody, nobody))
		},
	}
}

// set sets a trap in a directory.
func set(t *testing.T, trap func(path, victim string) error) (path, victim string) {
	t.Helper()
	dir := t.TempDir()
	path, victim = filepath.Join(dir, "file"), filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := trap(path, victim); err != nil {
		t.Fatal(err)
	}
	return path, victim
}

func TestOpenRejectsForeignFiles(t *testing.T) {
	reasons := map[string]string{
		"symbolic link": "is a symbolic link", "link to nothing": "is a symbolic link", "hard link": "has another name", // but it is this user's own file, to be read
		"FIFO": "is not a regular file", "socket": "is not a regular file", "another user's file": "belongs to uid 65534, not to this process's ",
	}
	for name, trap := range traps() {
		for _, flags := range []int{os.O_RDONLY, os.O_WRONLY, os.O_CREATE | os.O_RDWR, os.O_CREATE | os.O_WRONLY | os.O_APPEND} {
			t.Run(name, func(t *testing.T) {
				path, victim := set(t, trap)
				f, err := Opener{}.Open(path, flags, 0o600)
				if err == nil {
					f.Close()
				}
				reason := reasons[name]
				if name == "hard link" && flags == os.O_RDONLY {
					reason = ""
				}
				refusal, refused := errors.AsType[*Refusal](err)
				if reason == "" && err != nil || reason != "" && (!refused || !strings.HasPrefix(refusal.Reason, reason) || refusal.Path != path) {
					t.Errorf("flags %x: %v", flags, err)
				}
				if _, err := os.Lstat(victim + ".none"); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("a file was made through a link: %v", err)
				}
			})
		}
	}
}

func TestReplaceDiscardsForeignFiles(t *testing.T) {
	for name, trap := range traps() {
		for _, suffix := range []string{"", AsideSuffix} {
			by := func(path string, content []byte, mode fs.FileMode) error {
				return ReplaceBy(AsideSuffix, path, content, mode)
			}
			for way, replace := range map[string]func(string, []byte, fs.FileMode) error{"Replace": Replace, "ReplaceDurably": ReplaceDurably, "ReplaceBy": by} {
				t.Run(way+" "+name+suffix, func(t *testing.T) {
					at, victim := set(t, trap)
					path := filepath.Join(filepath.Dir(at), "target")
					if err := os.Rename(at, path+suffix); err != nil {
						t.Fatal(err)
					}
					if err := replace(path, []byte("ours"), 0o600); err != nil {
						t.Fatal(err)
					}
					var stat unix.Stat_t
					if err := unix.Lstat(path, &stat); err != nil {
						t.Fatal(err)
					}
					if stat.Mode != unix.S_IFREG|0o600 || int(stat.Uid) != os.Geteuid() || stat.Nlink != 1 {
						t.Errorf("mode %o, uid %d, %d links", stat.Mode, stat.Uid, stat.Nlink)
					}
					if text, err := (Opener{}).Read(path, 4); err != nil || string(text) != "ours" {
						t.Errorf("it has %q, %v", text, err)
					}
					if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
						t.Errorf("the victim has %q, %v", text, err)
					}
					if _, err := os.Lstat(path + AsideSuffix); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("left aside: %v", err)
					}
				})
			}
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Replace(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := (Opener{}).Read(path, 5); err != nil || string(text) != "12345" {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := (Opener{}).Read(path, 4); !errors.Is(err, ErrTooLong) || text != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := (Opener{}).Read(path+".none", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestOpenerAllowsDevicesAndRoot(t *testing.T) {
	if _, err := (Opener{}).Open(os.DevNull, os.O_WRONLY, 0); err == nil {
		t.Error("a device was opened")
	}
	lenient := Opener{Devices: true, RootReads: true}
	f, err := lenient.Open(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	path, _ := set(t, traps()["another user's file"])
	if text, err := lenient.Read(path, 100); err != nil || string(text) != "theirs" {
		t.Errorf("root reads %q, %v", text, err)
	}
	if _, err := lenient.Open(path, os.O_WRONLY, 0); err == nil {
		t.Error("root writes to another user's file")
	}
}

func TestReplaceErrorExplainsForeignFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := Replace(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	denied := &fs.PathError{Op: "remove", Path: path, Err: fs.ErrPermission}
	if err := Explain(path, denied); !errors.Is(err, fs.ErrPermission) || err.Error() != denied.Error() {
		t.Errorf("of this user's own file: %v", err)
	}
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if err := Explain(path, denied); !strings.Contains(err.Error(), "it belongs to uid 65534: remove it, or use a directory that only this user can write to") {
		t.Error(err)
	}
}

func TestReplaceReadableIgnoresUmask(t *testing.T) {
	before := unix.Umask(0o077)
	defer unix.Umask(before)
	path := filepath.Join(t.TempDir(), "file")
	for range 2 {
		if err := ReplaceReadable(path, []byte("ours")); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}
