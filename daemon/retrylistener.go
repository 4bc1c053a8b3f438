package daemon

import (
	"errors"
	"net"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/query"
)

// retryListener retries after all temporary errors of Accept. By default a server of
// net/http ends when the kernel has no memory for a connection, and the whole process
// with it.
type retryListener struct{ net.Listener }

// retried returns ports whose listeners retry.
func retried(ports []query.Port) []query.Port {
	ports = slices.Clone(ports)
	for i, p := range ports {
		ports[i].Listener = retryListener{p.Listener}
	}
	return ports
}

// Accept returns a temporary [net.Error] if a retry may succeed: net/http retries after
// at most a second.
func (l retryListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	own := []unix.Errno{unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EOPNOTSUPP}
	if errno, isErrno := errors.AsType[unix.Errno](err); isErrno && !slices.Contains(own, errno) {
		err = passing{err}
	}
	return conn, err
}

// passing is an error that may go away.
type passing struct{ error }

func (passing) Timeout() bool   { return false }
func (passing) Temporary() bool { return true }
func (p passing) Unwrap() error { return p.error }
