package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
)

// HAProxy's lines have at most 1,024 bytes by default, and 65,535 if so configured.
const maxLogLine = 64 << 10

// LogSocket takes HAProxy's log lines, which a daemon without a terminal cannot
// print, and logs them. HAProxy does not wait: it drops, and counts as
// DroppedLogs, what is not taken in time; so the logger must not block.
type LogSocket struct {
	conn net.Conn
	path string // of a unix socket, to be removed
	log  *slog.Logger
}

// ListenLog listens on a datagram socket at path, in place of what is there.
func ListenLog(path string, log *slog.Logger) (*LogSocket, error) {
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
	return &LogSocket{conn: conn, path: path, log: log}, nil
}

// ListenLogUDP listens on a UDP address, for configurations that log to one as
// `log 127.0.0.1 local0` does.
func ListenLogUDP(addr string, log *slog.Logger) (*LogSocket, error) {
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for HAProxy's log: %w", err)
	}
	conn, err := net.ListenUDP("udp", to)
	if err != nil {
		return nil, fmt.Errorf("listen for HAProxy's log: %w", err)
	}
	return &LogSocket{conn: conn, log: log}, nil
}

// Addr is where it listens.
func (l *LogSocket) Addr() net.Addr { return l.conn.LocalAddr() }

// Run logs lines until ctx is done; then it removes the socket.
func (l *LogSocket) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { l.conn.Close() })
	defer stop()
	buffer := make([]byte, maxLogLine)
	for {
		n, err := l.conn.Read(buffer)
		switch {
		case err == nil:
			l.log.Info("haproxy", "line", message(string(buffer[:n])))
		case !errors.Is(err, net.ErrClosed):
			return fmt.Errorf("read HAProxy's log: %w", err)
		case l.path == "":
			return nil
		default:
			return remove(l.path)
		}
	}
}

// syslogHeader is `<134>Nov 23 10:00:00 haproxy[12]: `, with the host's name before
// haproxy if so configured. No other form of the log has it, and whoever sends a
// request may have the like put further behind.
var syslogHeader = regexp.MustCompile(`^<[0-9]{1,3}>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [^\[\]]*\[[0-9]+\]: `)

// message is a syslog line without its header.
func message(line string) string {
	line = strings.TrimRight(line, "\n\x00")
	return line[len(syslogHeader.FindString(line)):]
}
