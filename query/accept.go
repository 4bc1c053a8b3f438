package query

import (
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/haproxy-zk/haproxy-zk/streak"
)

// acceptLogger is a listener that logs failures of Accept, usually for lack of file
// descriptors, and their end. The server retries within a second; clients wait in the
// kernel meanwhile. Only one goroutine accepts.
type acceptLogger struct {
	net.Listener
	logger  *slog.Logger
	failing streak.Streak
}

func (l *acceptLogger) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	switch {
	case err == nil:
		if attrs, ended := l.failing.Over(time.Now()); ended {
			l.logger.With(attrs...).Info("queries are accepted again")
		}
	case !errors.Is(err, net.ErrClosed):
		if attrs, due := l.failing.Failed(time.Now(), err.Error()); due {
			l.logger.With(attrs...).Error("cannot accept queries, clients wait", "error", err)
		}
	}
	return conn, err
}
