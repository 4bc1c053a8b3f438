package query

import (
	"log/slog"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// scripted accepts or fails as scripted.
type scripted struct {
	net.Listener
	outcomes []error
}

func (l *scripted) Accept() (net.Conn, error) {
	err := l.outcomes[0]
	l.outcomes = l.outcomes[1:]
	if err != nil {
		return nil, err
	}
	conn, _ := net.Pipe()
	return conn, nil
}

func TestFailedAcceptsAreLoggedOnce(t *testing.T) {
	short := &net.OpError{Op: "accept", Net: "tcp", Err: unix.EMFILE}
	var logged strings.Builder
	inner := &scripted{outcomes: []error{nil, short, short, short, nil, nil, short, nil, net.ErrClosed}}
	l := &acceptLogger{Listener: inner, logger: slog.New(slog.NewTextHandler(&logged, nil))}
	for len(inner.outcomes) > 0 {
		if conn, err := l.Accept(); err == nil {
			conn.Close()
		}
	}
	for words, want := range map[string]int{"cannot accept": 2, "too many open files": 2, "accepted again": 2, "closed": 0} {
		if got := strings.Count(logged.String(), words); got != want {
			t.Errorf("%q is logged %d times, want %d:\n%s", words, got, want, &logged)
		}
	}
}
