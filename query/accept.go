package query

import (
	"errors"
	"log/slog"
	"net"
)

// acceptLogger is a listener that logs when Accept begins and ceases to fail, usually
// for lack of file descriptors. The server retries within a second; clients wait in the
// kernel meanwhile. Only one goroutine accepts.
type acceptLogger struct {
	net.Listener
	logger *slog.Logger
	failed bool
}

func (l *acceptLogger) Accept() (net.Conn, error) {
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
