package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// HAProxy's log lines have at most 1,024 bytes by default, and 65,535 if configured so.
const maxLogLine = 64 << 10

// LogSocket receives HAProxy's log lines, which a daemon without a terminal cannot
// print, and logs each at the level of its severity. HAProxy does not wait: it drops
// lines that are not received in time and counts them as DroppedLogs, so the logger
// must not block.
type LogSocket struct {
	conn net.Conn
	path string // of a unix socket, removed at the end
	log  *slog.Logger
	// senders are the users whose lines are accepted; nil accepts all.
	senders []int
	// foreign is called for each line of another user.
	foreign func()
	warned  bool

	// Take is called with each accepted line and reports whether it is logged elsewhere. It
	// must not block. nil takes none; set it before Run.
	Take func(LogLine) bool
}

// LogLine is a line of HAProxy's log.
type LogLine struct {
	// Date and Process are those of the header, as in "Nov 23 10:00:00" and "haproxy[12]";
	// empty if the line has none.
	Date, Process string
	Text          string
	// Severity is 0 to 7, or -1 if the line has none.
	Severity int
}

// ListenLog listens on a datagram socket at path and replaces an existing file. It
// accepts lines from this user, from root, and from workerUID, to which HAProxy's
// workers may switch; 0 means that they do not. The file's mode keeps out others on
// most file systems; foreign is called for each line of another user, which is dropped.
func ListenLog(path string, workerUID int, foreign func(), log *slog.Logger) (*LogSocket, error) {
	l := &LogSocket{path: path, log: log, senders: []int{os.Geteuid(), 0, workerUID}, foreign: foreign}
	if err := l.listen(workerUID); err != nil {
		return nil, fmt.Errorf("listen for HAProxy's log: %w", err)
	}
	return l, nil
}

// logSocketMode is the socket's mode from its creation on.
const logSocketMode = 0o600

func (l *LogSocket) listen(workerUID int) error {
	if err := ownfile.Remove(l.path); err != nil {
		return ownfile.Explain(l.path, err)
	}
	private := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		controlling := raw.Control(func(fd uintptr) {
			// Before bind(2): the file gets the socket's own mode, less the umask.
			err = errors.Join(unix.Fchmod(int(fd), logSocketMode), unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
		})
		return errors.Join(controlling, err)
	}}
	// bind(2) follows no symlink and fails if the name exists.
	conn, err := private.ListenPacket(context.Background(), "unixgram", l.path)
	if err != nil {
		return err
	}
	if workerUID != 0 && os.Geteuid() == 0 {
		if err := os.Lchown(l.path, workerUID, -1); err != nil {
			return errors.Join(err, conn.Close(), ownfile.Remove(l.path))
		}
	}
	l.conn = conn.(*net.UnixConn)
	return nil
}

// ListenLogUDP listens on a UDP address, for configurations with `log 127.0.0.1 local0`.
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

// Addr returns the address it listens on.
func (l *LogSocket) Addr() net.Addr { return l.conn.LocalAddr() }

// Run logs lines until ctx is done; then it removes the socket.
func (l *LogSocket) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { l.conn.Close() })
	defer stop()
	buffer := make([]byte, maxLogLine)
	for {
		n, own, err := l.receive(buffer)
		switch {
		case err == nil && own:
			line := string(buffer[:n])
			parsed := parseLogLine(line)
			if l.Take == nil || !l.Take(parsed) {
				l.log.Log(ctx, level(line, parsed.Severity), "haproxy", "line", parsed.Text)
			}
		case err == nil:
		case !errors.Is(err, net.ErrClosed):
			return fmt.Errorf("read HAProxy's log: %w", err)
		case l.path == "":
			return nil
		default:
			return ownfile.Remove(l.path)
		}
	}
}

// receive reads a line and reports whether its sender is accepted.
func (l *LogSocket) receive(buffer []byte) (n int, own bool, err error) {
	conn, local := l.conn.(*net.UnixConn)
	if !local {
		n, err = l.conn.Read(buffer)
		return n, true, err
	}
	// Anything attached beyond the credentials, such as descriptors, does not fit, and the
	// kernel closes it.
	control := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	n, received, _, _, err := conn.ReadMsgUnix(buffer, control)
	if err != nil {
		return 0, false, err
	}
	uid := senderOf(control[:received])
	if slices.Contains(l.senders, uid) {
		return n, true, nil
	}
	l.foreign()
	if !l.warned {
		l.warned = true
		l.log.Warn("dropping log lines of another user than HAProxy's", "uid", uid)
	}
	return n, false, nil
}

// senderOf returns the user in SCM_CREDENTIALS (unix(7)), or -1 if there is none.
func senderOf(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return -1
	}
	for i := range messages {
		if sender, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			return int(sender.Uid)
		}
	}
	return -1
}

// syslogHeader is `<134>Nov 23 10:00:00 haproxy[12]: `, with the host name before
// haproxy if configured so. It is anchored to the start of the line: a client's request
// may contain the same text later.
var syslogHeader = regexp.MustCompile(`^<[0-9]{1,3}>([A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}) ([^\[\]]*\[[0-9]+\]): `)

// parseLogLine parses a syslog line.
func parseLogLine(line string) LogLine {
	parsed := LogLine{Severity: severity(line), Text: strings.TrimRight(line, "\n\x00")}
	if at := syslogHeader.FindStringSubmatchIndex(parsed.Text); at != nil {
		parsed.Date, parsed.Process, parsed.Text = parsed.Text[at[2]:at[3]], parsed.Text[at[4]:at[5]], parsed.Text[at[1]:]
		parsed.Process = parsed.Process[strings.LastIndexByte(parsed.Process, ' ')+1:] // without the host's name
	}
	return parsed
}

// priority is the PRI that every log format but `raw` begins with: facility * 8 +
// severity (RFC 3164, 4.1.1).
var priority = regexp.MustCompile(`^<([0-9]{1,3})>`)

// maxPRI is the value of facility 23 and severity 7.
const maxPRI = 191

// commanded matches what HAProxy logs as an alert when a command takes a server out of
// service. Logged as errors, these lines would make every deregistration look like one.
var commanded = regexp.MustCompile(`\]: Server \S+ is (?:going DOWN for maintenance|DOWN, changed from CLI)`)

// severity returns the severity of a syslog line, or -1 if there is none.
func severity(line string) int {
	pri := priority.FindStringSubmatch(line)
	if pri == nil {
		return -1
	}
	n, err := strconv.Atoi(pri[1])
	if err != nil || n > maxPRI {
		return -1
	}
	return n % 8
}

// level returns the level of a syslog line of that severity, Info if it has none.
func level(line string, severity int) slog.Level {
	switch {
	case severity < 0, severity == 5, severity == 6, commanded.MatchString(line):
		return slog.LevelInfo
	case severity <= 3: // emergency, alert, critical, error
		return slog.LevelError
	case severity == 4:
		return slog.LevelWarn
	case severity == 7:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
