package rig

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
)

// Hang is a file system over a directory that answers nothing, as when the server of a
// network file system is gone: whoever looks into the directory waits.
type Hang struct {
	dir    string
	device int
	end    sync.Once
	err    error
}

// MountHang mounts one on a directory. It requires root and FUSE, of which the process that
// has to answer is this one.
func MountHang(dir string) (*Hang, error) {
	device, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("mount a file system that hangs: open /dev/fuse: %w", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", device)
	if err := syscall.Mount("hang", dir, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		return nil, errors.Join(fmt.Errorf("mount a file system that hangs on %s: %w", dir, err), syscall.Close(device))
	}
	return &Hang{dir: dir, device: device}, nil
}

// Close unmounts it, and whoever waits gets an error. It may be called twice.
func (h *Hang) Close() error {
	h.end.Do(func() {
		h.err = errors.Join(syscall.Unmount(h.dir, syscall.MNT_DETACH), syscall.Close(h.device))
	})
	return h.err
}
