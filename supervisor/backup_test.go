package supervisor

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

func TestBackupIsRestored(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(path string) error
	}{
		{"untouched", func(string) error { return nil }},
		{"replaced", func(path string) error { return ownfile.Replace(path, []byte("new"), 0o600) }},
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
			// A backup left by a killed process is replaced.
			if err := os.WriteFile(path+backupSuffix, []byte("older"), 0o600); err != nil {
				t.Fatal(err)
			}
			k, err := makeBackup(path)
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

func TestBackupOfMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	k, err := makeBackup(path)
	if err == nil {
		err = errors.Join(ownfile.Replace(path, []byte("new"), 0o600), k.restore())
	}
	if err != nil {
		t.Fatal(err)
	}
	nothingBeside(t, path)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}

func TestDiscardedBackup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := makeBackup(path)
	if err == nil {
		err = errors.Join(ownfile.Replace(path, []byte("new"), 0o640), k.discard())
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, path); got != "new" {
		t.Errorf("it is %q", got)
	}
	nothingBeside(t, path)
}

// If a file cannot be written completely, the old one stays and no temporary file
// remains. A file size limit simulates the full disk.
func TestFailedWriteKeepsOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 2, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	err := ownfile.Replace(path, []byte("new"), 0o600)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, unix.EFBIG) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	if got := contents(t, path); got != "old" {
		t.Errorf("it is %q", got)
	}
	nothingBeside(t, path)
}

// nothingBeside fails the test if another file's name begins with this one's.
func nothingBeside(t *testing.T, path string) {
	t.Helper()
	all, err := filepath.Glob(path + "?*")
	if err != nil || len(all) > 0 {
		t.Errorf("%q, %v", all, err)
	}
}
