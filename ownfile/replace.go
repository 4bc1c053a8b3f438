package ownfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// AsideSuffix is appended to the name of a file that is to replace another.
const AsideSuffix = ".new"

// Replace atomically replaces the file at path: a reader sees the old content or the new.
// It does not wait for the disk.
func Replace(path string, content []byte, mode fs.FileMode) error {
	return ReplaceBy(AsideSuffix, path, content, mode)
}

// ReplaceBy is [Replace] by a file with another suffix than [AsideSuffix].
func ReplaceBy(suffix, path string, content []byte, mode fs.FileMode) error {
	aside, err := writeTemporary(path+suffix, content, mode, unfinished)
	if err != nil {
		return err
	}
	return rename(aside, path)
}

// ReplaceDurably is [Replace] that survives a crash of the machine.
func ReplaceDurably(path string, content []byte, mode fs.FileMode) error {
	aside, err := writeTemporary(path+AsideSuffix, content, mode, (*os.File).Sync)
	if err != nil {
		return err
	}
	if err := rename(aside, path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// ReplaceReadable is [Replace] with a file that everybody may read, whatever the umask.
func ReplaceReadable(path string, content []byte) error {
	const mode = 0o644
	aside, err := writeTemporary(path+AsideSuffix, content, mode, func(f *os.File) error { return f.Chmod(mode) })
	if err != nil {
		return err
	}
	return rename(aside, path)
}

// WriteAside writes a file that may later replace path, completely or not at all, and
// returns its path.
func WriteAside(path string, content []byte, mode fs.FileMode) (aside string, err error) {
	return writeTemporary(path+AsideSuffix, content, mode, unfinished)
}

func unfinished(*os.File) error { return nil }

// writeTemporary writes the file aside, completely or not at all, and returns its path.
func writeTemporary(aside string, content []byte, mode fs.FileMode, finish func(*os.File) error) (string, error) {
	if err := Remove(aside); err != nil {
		return "", Explain(aside, err)
	}
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, mode)
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, finish(f), f.Close()); err != nil {
		return "", errors.Join(err, Remove(aside))
	}
	return aside, nil
}

func rename(aside, path string) error {
	if err := os.Rename(aside, path); err != nil {
		return errors.Join(Explain(path, err), Remove(aside))
	}
	return nil
}

// Remove is [os.Remove] that treats a missing file as removed.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
