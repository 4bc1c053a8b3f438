package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Path returns the path of the control socket in a run directory, for [Listen] and
// [Client].
func Path(runDir string) string { return filepath.Join(runDir, socketName) }

const socketName = "control.sock"

// ErrInUse is wrapped by the error of [Listen] if another process answers.
var ErrInUse = errors.New("another haproxy-zk answers on the control socket")

// The size of sun_path in unix(7) without its final NUL, minus the extra length of the
// temporary name under which the socket is bound.
const maxPath = 107 - 4

// Listen binds a unix socket of mode 0600 at path. It replaces a socket on which nobody
// listens any more; a file that is not a socket is an error. Closing the listener removes
// the socket, unless another one has replaced it.
func Listen(path string) (net.Listener, error) {
	l, err := bind(path)
	if err != nil {
		return nil, fmt.Errorf("listen on the control socket %s: %w", path, err)
	}
	return l, nil
}

func bind(path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("the path has %d bytes, the limit for a unix socket is %d: use a shorter RUN_DIR", len(path), maxPath)
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, errors.New("the existing file is not a socket: remove it, or use another RUN_DIR")
	case foreign(info):
		// Not a haproxy-zk of this user: it is replaced.
	default:
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			conn.Close()
			return nil, ErrInUse
		}
		if !noListener(err) {
			return nil, err
		}
	}
	// The mode of a new socket depends on the umask, so it is bound in a private directory
	// and renamed once it has its own mode.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".c") // mode 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	temporary := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	own := &listener{UnixListener: l, path: path}
	if err = os.Chmod(temporary, 0o600); err == nil {
		if own.info, err = os.Lstat(temporary); err == nil {
			err = os.Rename(temporary, path)
		}
	}
	if err != nil {
		l.Close()
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: if the socket belongs to another user, remove it, or use another RUN_DIR", err)
		}
		return nil, err
	}
	return own, nil
}

// foreign reports whether a file belongs to another user: anybody may create files in a
// directory like /tmp.
func foreign(info fs.FileInfo) bool {
	stat, known := info.Sys().(*syscall.Stat_t)
	return known && stat.Uid != 0 && int(stat.Uid) != os.Geteuid()
}

// noListener reports whether a dial failed because no process listens.
func noListener(err error) bool {
	return errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}

type listener struct {
	*net.UnixListener
	path string
	info fs.FileInfo
}

func (l *listener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.info) {
		_ = os.Remove(l.path)
	}
	return l.UnixListener.Close()
}
