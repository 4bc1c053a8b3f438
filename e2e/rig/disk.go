package rig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A disk has room for the files of a daemon, and for hardly more.
const diskOptions = "size=1m,nr_inodes=100,mode=755"

// Disk is a folder with a small file system of its own, which can be full.
type Disk struct {
	dir    string
	filled []string
}

// MountDisk makes a folder, which must not be there, and mounts a disk on it. It
// wants root.
func MountDisk(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("mount a disk: %w", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, diskOptions); err != nil {
		return nil, fmt.Errorf("mount a disk on %s: %w", dir, err)
	}
	return &Disk{dir: dir}, nil
}

// Fill leaves no byte.
func (d *Disk) Fill() error {
	return d.fill(func(path string) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		page := make([]byte, os.Getpagesize())
		for err == nil {
			_, err = f.Write(page)
		}
		return err
	})
}

// FillNodes leaves no file to be made.
func (d *Disk) FillNodes() error {
	return d.fill(func(path string) error {
		f, err := os.Create(path)
		if err == nil {
			err = f.Close()
		}
		return err
	})
}

// fill makes files until there is no room for another.
func (d *Disk) fill(put func(path string) error) error {
	for {
		path := filepath.Join(d.dir, fmt.Sprintf("filled%d", len(d.filled)))
		d.filled = append(d.filled, path)
		switch err := put(path); {
		case errors.Is(err, syscall.ENOSPC):
			return nil
		case err != nil:
			return fmt.Errorf("fill the disk on %s: %w", d.dir, err)
		}
	}
}

// Free takes away what Fill and FillNodes have put there.
func (d *Disk) Free() error {
	var problems []error
	for _, path := range d.filled {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) { // the last one was perhaps not made
			problems = append(problems, err)
		}
	}
	d.filled = nil
	return errors.Join(problems...)
}

// Close unmounts the disk, with all that is on it. Nobody may use it any more
// but processes that are about to end.
func (d *Disk) Close() error {
	if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the disk on %s: %w", d.dir, err)
	}
	return nil
}
