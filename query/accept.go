package query

import (
	"errors"
	"log/slog"
	"net"
)

// telling is a listener that tells when clients begin and end not to be accepted,
// for want of descriptors as a rule. The server tries again, at most a second
// later; clients wait in the kernel meanwhile. One goroutine accepts.
type telling struct {
	net.Listener
	logger *slog.Logger
	failed bool
}

func (l *telling) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	switch {
	case err == nil && l.failed:
		l.failed = false
		l.logger.Info("queries are accepted again")
	case err != nil && !l.failed && !errors.Is(err, net.ErrClosed):
		l.failed = true
		l.logger.Error("cannot accept queries, clients wait", "error", err)
	}
	return conn, err
}
