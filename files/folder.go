package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// kind is what an entry of a directory is.
type kind string

const (
	missing kind = "missing"
	regular kind = "a file"
	folders kind = "a directory"
	link    kind = "a symbolic link"
	fifo    kind = "a FIFO"
	socket  kind = "a socket"
	device  kind = "a device"
)

func kindOf(mode fs.FileMode) kind {
	switch mode.Type() {
	case 0:
		return regular
	case fs.ModeDir:
		return folders
	case fs.ModeSymlink:
		return link
	case fs.ModeNamedPipe:
		return fifo
	case fs.ModeSocket:
		return socket
	}
	return device
}

// wrongKind is the error of an entry that is something else than what is needed.
type wrongKind kind

func (w wrongKind) Error() string { return "it is " + string(w) }

var errLong = errors.New("it is longer than 1 MB")

// folder is an open directory. Its methods do not follow symbolic links.
type folder struct {
	*os.File

	path string
}

// openFolder opens a directory by its path, which may go through symbolic links.
func openFolder(path string) (*folder, error) {
	return open(unix.AT_FDCWD, path, path, unix.O_DIRECTORY)
}

func open(at int, name, path string, flags int) (*folder, error) {
	for {
		fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		return &folder{os.NewFile(uintptr(fd), path), path}, nil
	}
}

func (f *folder) fd() int { return int(f.Fd()) }

func (f *folder) join(name string) string { return f.path + "/" + name }

// safe reports whether a name is that of an entry, and so leads nowhere else.
func safe(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// identity identifies a directory while it is open.
type identity struct{ dev, ino uint64 }

func (f *folder) identity() (identity, error) {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd(), &st); err != nil {
		return identity{}, &fs.PathError{Op: "stat", Path: f.path, Err: err}
	}
	return identity{st.Dev, st.Ino}, nil
}

// modified returns when entries last changed, in nanoseconds since 1970.
func (f *folder) modified() int64 {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd(), &st); err != nil {
		return 0
	}
	return st.Mtim.Nano()
}

// kind returns what an entry is.
func (f *folder) kind(name string) (kind, error) {
	if !safe(name) {
		return missing, nil
	}
	var st unix.Stat_t
	switch err := unix.Fstatat(f.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW); {
	case errors.Is(err, unix.ENOENT):
		return missing, nil
	case err != nil:
		return "", &fs.PathError{Op: "stat", Path: f.join(name), Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return regular, nil
	case unix.S_IFDIR:
		return folders, nil
	case unix.S_IFLNK:
		return link, nil
	case unix.S_IFIFO:
		return fifo, nil
	case unix.S_IFSOCK:
		return socket, nil
	}
	return device, nil
}

// sub opens a directory in the folder.
func (f *folder) sub(name string) (*folder, error) {
	return open(f.fd(), name, f.join(name), unix.O_DIRECTORY|unix.O_NOFOLLOW)
}

// target returns the target of a symbolic link.
func (f *folder) target(name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(f.fd(), name, buf)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: f.join(name), Err: err}
	}
	return string(buf[:n]), nil
}

// read returns the content of a regular file of at most limit bytes. Anything else is not
// read: a FIFO would block, and a device may do anything.
func (f *folder) read(name string, limit int64) ([]byte, error) {
	k, err := f.kind(name)
	switch {
	case err != nil:
		return nil, err
	case k != regular:
		return nil, wrongKind(k)
	}
	// It may have been replaced since: then O_NONBLOCK opens a FIFO without waiting.
	file, err := open(f.fd(), name, f.join(name), unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, err
	} else if k := kindOf(info.Mode()); k != regular {
		return nil, wrongKind(k)
	}
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = &fs.PathError{Op: "read", Path: f.join(name), Err: errLong}
	}
	return text, err
}

// entry is an entry of a directory.
type entry struct {
	name string
	kind kind
}

// entriesAtOnce is how many entries are read at a time.
const entriesAtOnce = 4096

// entries returns the entries whose names do not begin with a dot; more than [maxEntries]
// are an error.
func (f *folder) entries() ([]entry, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	var all []entry
	for {
		some, err := f.ReadDir(entriesAtOnce)
		for _, e := range some {
			if !strings.HasPrefix(e.Name(), ".") {
				all = append(all, entry{e.Name(), kindOf(e.Type())})
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case len(all) > maxEntries:
			return nil, fmt.Errorf("%s has more than %d entries", f.path, maxEntries)
		}
	}
}
