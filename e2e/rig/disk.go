package rig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// diskOptions leave space for the files of a daemon, and hardly more.
const diskOptions = "size=1m,nr_inodes=100,mode=755"

// Disk is a directory with its own small file system, which can be filled.
type Disk struct {
	dir    string
	filled []string
}

// MountDisk creates a directory, which must not exist, and mounts a disk on it. It
// requires root.
func MountDisk(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("mount a disk: %w", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, diskOptions); err != nil {
		return nil, fmt.Errorf("mount a disk on %s: %w", dir, err)
	}
	return &Disk{dir: dir}, nil
}

// Fill uses up all bytes.
func (d *Disk) Fill() error {
	return d.fillWith(func(path string) error {
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

// FillNodes uses up all inodes.
func (d *Disk) FillNodes() error {
	return d.fillWith(func(path string) error {
		f, err := os.Create(path)
		if err == nil {
			err = f.Close()
		}
		return err
	})
}

// fillWith creates files until there is no space for another.
func (d *Disk) fillWith(put func(path string) error) error {
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

// Free removes what Fill and FillNodes have created.
func (d *Disk) Free() error {
	var problems []error
	for _, path := range d.filled {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) { // creating the last one may have failed
			problems = append(problems, err)
		}
	}
	d.filled = nil
	return errors.Join(problems...)
}

// Close unmounts the disk with everything on it. Only processes that are about to end
// may still use it.
func (d *Disk) Close() error {
	if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the disk on %s: %w", d.dir, err)
	}
	return nil
}
