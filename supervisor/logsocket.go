package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// HAProxy's lines have at most 1,024 bytes by default, and 65,535 if so configured.
	maxLogLine = 64 << 10
	// So many lines wait for a slow output; more are dropped and counted.
	maxLogQueue = 4096
	lostEvery   = 10 * time.Second
)

// LogSocket takes HAProxy's log lines, which a daemon without a terminal cannot
// print, and prints them. It never makes HAProxy or the rest of the process
// wait: what the output does not take is dropped and counted.
type LogSocket struct {
	conn net.Conn
	path string // of a unix socket, to be removed
	log  *slog.Logger
	lost prometheus.Counter

	missed atomic.Int64
}

// ListenLog listens on a datagram socket at path, in place of what is there.
func ListenLog(path string, log *slog.Logger, m *Metrics) (*LogSocket, error) {
	if err := remove(path); err != nil {
		return nil, fmt.Errorf("listen for HAProxy's log: %w", err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("listen for HAProxy's log: %w", err)
	}
	// HAProxy may have given up root for another user; what is here is only
	// written to.
	if err := os.Chmod(path, 0o622); err != nil { //nolint:gosec // see above
		conn.Close()
		return nil, fmt.Errorf("listen for HAProxy's log: %w", err)
	}
	return &LogSocket{conn: conn, path: path, log: log, lost: m.logLost}, nil
}

// ListenLogUDP listens on a UDP address, for configurations that log to one as
// `log 127.0.0.1 local0` does.
func ListenLogUDP(addr string, log *slog.Logger, m *Metrics) (*LogSocket, error) {
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for HAProxy's log: %w", err)
	}
	conn, err := net.ListenUDP("udp", to)
	if err != nil {
		return nil, fmt.Errorf("listen for HAProxy's log: %w", err)
	}
	return &LogSocket{conn: conn, log: log, lost: m.logLost}, nil
}

// Addr is where it listens.
func (l *LogSocket) Addr() net.Addr { return l.conn.LocalAddr() }

// Run prints lines until ctx is done; then it removes the socket.
func (l *LogSocket) Run(ctx context.Context) error {
	lines := make(chan string, maxLogQueue)
	var printing sync.WaitGroup
	printing.Go(func() { l.print(lines) })
	stop := context.AfterFunc(ctx, func() { l.conn.Close() })
	defer stop()
	buffer := make([]byte, maxLogLine)
	var err error
	for {
		var n int
		if n, err = l.conn.Read(buffer); err != nil {
			break
		}
		select {
		case lines <- message(string(buffer[:n])):
		default:
			l.lost.Inc()
			l.missed.Add(1)
		}
	}
	close(lines)
	printing.Wait()
	if errors.Is(err, net.ErrClosed) {
		if l.path == "" {
			return nil
		}
		return remove(l.path)
	}
	return fmt.Errorf("read HAProxy's log: %w", err)
}

func (l *LogSocket) print(lines <-chan string) {
	var told time.Time
	for line := range lines {
		l.log.Info("haproxy", "line", line)
		if n := l.missed.Load(); n > 0 && time.Since(told) > lostEvery {
			l.missed.Add(-n)
			told = time.Now()
			l.log.Warn("lines of HAProxy's log were dropped, the output is too slow", "lines", n)
		}
	}
}

// message is a syslog line without its header, `<134>Nov 23 10:00:00 haproxy[12]: `.
func message(line string) string {
	line = strings.TrimRight(line, "\n\x00")
	if _, rest, found := strings.Cut(line, "]: "); found && strings.HasPrefix(line, "<") {
		return rest
	}
	return line
}
