package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// MakeFolder creates one of the process's directories, named by an environment
// variable, and verifies that files can be created in it.
func MakeFolder(variable, dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = TryFolder(dir)
	}
	if err == nil || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return nil // HAProxy may be serving already, and a reload waits for free space
	}
	return fmt.Errorf("%s: user %d cannot write to %s: %w; %s", variable, os.Geteuid(), dir, err, FolderRemedy(variable, dir, err))
}

// TryFolder checks whether files can be created in dir, or dir itself if it is missing.
// It removes whatever it creates.
func TryFolder(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		parent := dir
		for errors.Is(err, fs.ErrNotExist) && parent != filepath.Dir(parent) {
			parent = filepath.Dir(parent)
			_, err = os.Stat(parent)
		}
		if err != nil {
			return err
		}
		made, err := os.MkdirTemp(parent, ".haproxy-zk-check-")
		if err != nil {
			return err
		}
		return os.Remove(made)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "open", Path: dir, Err: unix.ENOTDIR}
	}
	f, err := os.CreateTemp(dir, ".haproxy-zk-check-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// FolderRemedy returns the remedy for a directory that is not writable. where is the
// setting that names it.
func FolderRemedy(where, dir string, err error) string {
	other := "name another place"
	switch where {
	case "RUN_DIR":
		other = "name another folder with RUN_DIR or --run-dir"
	case "STATE_DIR":
		other = "name another folder with STATE_DIR or --state-dir"
	}
	switch {
	case errors.Is(err, unix.EROFS) && where == "STATE_DIR":
		return fmt.Sprintf("the file system is read-only: mount a volume there (docker run --volume NAME:%s), or %s", dir, other)
	case errors.Is(err, unix.EROFS):
		return fmt.Sprintf("the file system is read-only: mount a writable one there (docker run --tmpfs %s), or %s", dir, other)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("let user %d write there (chown %d %s; docker run --tmpfs %s), or %s", os.Geteuid(), os.Geteuid(), dir, dir, other)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "free space on the disk, or " + other
	}
	return "let the user that haproxy-zk runs as write there, or " + other
}
