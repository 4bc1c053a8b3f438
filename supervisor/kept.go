package supervisor

import (
	"errors"
	"io/fs"
	"os"
)

const (
	// asideSuffix names a file that is to replace another.
	asideSuffix = ".new"
	// keptSuffix names what a file was while another takes its place.
	keptSuffix = ".kept"
)

// kept is a file as it was. It has a second name meanwhile: to give the file back
// takes no room, on a disk that may be full by then.
type kept struct {
	path  string
	there bool // else there was no file
}

// keep keeps a file until restore or forget is called.
func keep(path string) (kept, error) {
	k := kept{path: path}
	if err := k.forget(); err != nil { // of a process that was killed
		return k, err
	}
	err := os.Link(path, path+keptSuffix)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return k, nil
	case err != nil:
		// It is another user's (protected_hardlinks in proc_sys_fs(5)), or the file
		// system knows no links.
		info, err := os.Stat(path)
		if err != nil {
			return k, err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return k, err
		}
		if err := writeFile(path+keptSuffix, content, info.Mode().Perm()); err != nil {
			return k, err
		}
	}
	k.there = true
	return k, nil
}

// restore gives the path back what it had.
func (k kept) restore() error {
	if !k.there {
		return remove(k.path)
	}
	if err := os.Rename(k.path+keptSuffix, k.path); err != nil {
		return err
	}
	return k.forget() // rename(2) leaves two names of one file as they are
}

// forget lets the file go.
func (k kept) forget() error { return remove(k.path + keptSuffix) }

// writeFile replaces path so that a reader sees the old or the new content. It
// does not wait for the disk: what a machine has lost is written anew when it
// starts again.
func writeFile(path string, content []byte, mode fs.FileMode) error {
	aside, err := writeAside(path, content, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(aside, path); err != nil {
		return errors.Join(err, remove(aside))
	}
	return nil
}

// writeAside writes what may come to replace path, whole or not at all, and
// returns where it stands.
func writeAside(path string, content []byte, mode fs.FileMode) (aside string, err error) {
	aside = path + asideSuffix
	if err := os.WriteFile(aside, content, mode); err != nil {
		return "", errors.Join(err, remove(aside))
	}
	return aside, nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
