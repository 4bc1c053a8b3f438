package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Socket is the name of the control socket in RUN_DIR.
const Socket = "control.sock"

// ErrInUse is wrapped by the error of [Listen] when another process answers.
var ErrInUse = errors.New("another haproxy-zk answers on the control socket")

// sun_path of unix(7) without its final NUL, less what the name that the socket
// is bound under may be longer than its own.
const maxPath = 107 - 4

// Listen binds a unix socket of mode 0600 at path, in place of one that nobody
// answers on any more; what is no socket stays and is an error. Closing the
// listener removes the socket, unless another one has taken its place.
func Listen(path string) (net.Listener, error) {
	l, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("listen on the control socket %s: %w", path, err)
	}
	return l, nil
}

func listen(path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("the path has %d bytes, a unix socket's has at most %d: use a shorter RUN_DIR", len(path), maxPath)
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, errors.New("there is something that is no socket: remove it or use another RUN_DIR")
	default:
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			conn.Close()
			return nil, ErrInUse
		}
		if !nobody(err) {
			return nil, err
		}
	}
	// Bound where nobody else can reach it, since the mode of a new socket is
	// the umask's to say, and renamed once it has its own.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".c") // mode 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	aside := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: aside, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	own := &listener{UnixListener: l, path: path}
	if err = os.Chmod(aside, 0o600); err == nil {
		if own.info, err = os.Lstat(aside); err == nil {
			err = os.Rename(aside, path)
		}
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return own, nil
}

// nobody tells whether a dial failed because no process listens.
func nobody(err error) bool {
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
