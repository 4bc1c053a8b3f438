package main

import (
	"errors"
	"net"
	"slices"

	"golang.org/x/sys/unix"
)

// lasting is a listener that goes on after all errors that are not its own. By
// itself a server of net/http ends where the kernel has no memory for a connection,
// and with it all that this process does.
type lasting struct{ net.Listener }

// Accept returns a temporary [net.Error] where another try may succeed: net/http
// tries again, at most a second later.
func (l lasting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	own := []unix.Errno{unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EOPNOTSUPP}
	if errno, isErrno := errors.AsType[unix.Errno](err); isErrno && !slices.Contains(own, errno) {
		err = passing{err}
	}
	return conn, err
}

// passing is an error that may be over soon.
type passing struct{ error }

func (passing) Timeout() bool   { return false }
func (passing) Temporary() bool { return true }
func (p passing) Unwrap() error { return p.error }
