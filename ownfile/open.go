package ownfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Opener selects which files may be opened besides regular files of this user and root.
// The zero value allows no others.
type Opener struct {
	// Devices also allows character devices, such as /dev/null.
	Devices bool
	// FIFOs also allows named pipes.
	FIFOs bool
	// RootReads lets root read regular files of every user.
	RootReads bool
}

// Open is [os.OpenFile] for allowed files; for others it returns a [*Refusal].
func (o Opener) Open(path string, flags int, mode fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, mode)
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, &Refusal{path, "is a symbolic link"}
	case errors.Is(err, unix.ENXIO) && o.FIFOs && isFIFO(path):
		return nil, fmt.Errorf("open %s: %w", path, ErrNoReader)
	case errors.Is(err, unix.ENXIO): // a socket, or a FIFO opened for writing
		return nil, &Refusal{path, "is not a regular file"}
	case err != nil:
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = o.accept(path, info, flags&(os.O_WRONLY|os.O_RDWR) != 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (o Opener) accept(path string, info fs.FileInfo, writes bool) error {
	stat, known := info.Sys().(*syscall.Stat_t)
	self := os.Geteuid()
	switch {
	case !info.Mode().IsRegular() && (!o.Devices || info.Mode()&fs.ModeCharDevice == 0) && (!o.FIFOs || info.Mode()&fs.ModeNamedPipe == 0):
		return &Refusal{path, "is not a regular file"}
	case known && writes && info.Mode().IsRegular() && stat.Nlink > 1:
		return &Refusal{path, "has another name, so it may be meant for something else"}
	case known && stat.Uid != 0 && int(stat.Uid) != self && (writes || self != 0 || !o.RootReads):
		return &Refusal{path, fmt.Sprintf("belongs to uid %d, not to this process's %d", stat.Uid, self)}
	}
	return nil
}

// ErrNoReader is wrapped by the error for a FIFO that nobody reads.
var ErrNoReader = errors.New("nobody reads this FIFO")

func isFIFO(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

// Read returns the content of a file of at most limit bytes; for a longer one it returns
// [ErrTooLong].
func (o Opener) Read(path string, limit int64) ([]byte, error) {
	f, err := o.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes: %w", path, limit, ErrTooLong)
	}
	return text, nil
}

// ErrTooLong is wrapped by the error for a file longer than the limit.
var ErrTooLong = errors.New("file too long")
