package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestKeptFile(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(path string) error
	}{
		{"untouched", func(string) error { return nil }},
		{"replaced", func(path string) error { return writeFile(path, []byte("new"), 0o600) }},
		{"removed", os.Remove},
		{"removed and made again", func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("new"), 0o600))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			// What a process left that was killed is no obstacle.
			if err := os.WriteFile(path+keptSuffix, []byte("older"), 0o600); err != nil {
				t.Fatal(err)
			}
			k, err := keep(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(tt.change(path), k.restore()); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, path); got != "old" {
				t.Errorf("it is %q", got)
			}
			nothingBeside(t, path)
		})
	}
}

func TestFileThatWasNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	k, err := keep(path)
	if err == nil {
		err = errors.Join(writeFile(path, []byte("new"), 0o600), k.restore())
	}
	if err != nil {
		t.Fatal(err)
	}
	nothingBeside(t, path)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}

func TestForgottenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := keep(path)
	if err == nil {
		err = errors.Join(writeFile(path, []byte("new"), 0o640), k.forget())
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, path); got != "new" {
		t.Errorf("it is %q", got)
	}
	nothingBeside(t, path)
}

// A full disk leaves what was to be replaced as it is, and nothing beside it.
func TestFileThatFindsNoRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", path+asideSuffix); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, []byte("new"), 0o600); !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	if got := contents(t, path); got != "old" {
		t.Errorf("it is %q", got)
	}
	nothingBeside(t, path)
}

// nothingBeside fails the test if there is a file whose name begins as this one's.
func nothingBeside(t *testing.T, path string) {
	t.Helper()
	all, err := filepath.Glob(path + "?*")
	if err != nil || len(all) > 0 {
		t.Errorf("%q, %v", all, err)
	}
}
