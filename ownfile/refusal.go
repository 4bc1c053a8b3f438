package ownfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Refusal is the error for an existing file that must not be used.
type Refusal struct {
	Path string
	// Reason is a predicate whose subject is the file: "is a symbolic link".
	Reason string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Path + " " + r.Reason }

// Explain adds the remedy to an error caused by another user's file: in a directory with
// the sticky bit only its owner may remove it.
func Explain(path string, err error) error {
	info, looking := os.Lstat(path)
	if looking != nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if stat, known := info.Sys().(*syscall.Stat_t); known && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: it belongs to uid %d: remove it, or use a directory that only this user can write to", err, stat.Uid)
	}
	return err
}
