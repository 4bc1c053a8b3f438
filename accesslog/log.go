package accesslog

import (
	"cmp"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/logging"
)

// The destinations besides a path, and besides the log, which is the empty string.
const (
	Off    = "off"
	Stdout = "stdout"
)

// Options of a [Log]. All are required.
type Options struct {
	// Where is [Off], [Stdout], an absolute path, or empty for haproxy-zk's log.
	Where string
	// Stdout is written to for [Stdout].
	Stdout io.Writer
	// Lines is the logger for the lines that go to haproxy-zk's log. It must not block.
	Lines *slog.Logger
	// Logger is for failures of the file.
	Logger *slog.Logger
}

// Log is the access log of all proxies. Any goroutine may call its methods; none blocks
// but Drain.
type Log struct {
	lines *slog.Logger
	out   *logging.Output // nil: there is none
	file  *file           // nil: it is no file
}

// Line is a line of HAProxy's log.
type Line struct {
	// Proxy is the name of the proxy; empty if it is unknown.
	Proxy string
	// Date and Process are those of the syslog header; empty without one.
	Date, Process string
	Text          string
}

// New returns a log. A file is opened before the first line, and failures are logged and
// retried: they keep nothing from serving. Call Drain at the end.
func New(o Options) *Log {
	switch o.Where {
	case "":
		return &Log{lines: o.Lines}
	case Off:
		return &Log{}
	case Stdout:
		return &Log{out: logging.NewOutput(o.Stdout)}
	}
	f := newFile(o.Where, o.Logger)
	l := &Log{out: logging.NewOutput(f), file: f}
	l.Reopen()
	return l
}

// Add writes a line as syslog daemons write files, with the proxy in the place of the
// host, `Nov 23 10:00:00 web haproxy[12]: TEXT`, or to haproxy-zk's log. A line that the
// destination does not take in time is dropped and counted.
func (l *Log) Add(line Line) {
	switch {
	case l.out != nil:
		header := cmp.Or(line.Date, time.Now().Format(time.Stamp)) + " " + cmp.Or(line.Proxy, "-") + " " + cmp.Or(line.Process, "haproxy") + ": "
		_, _ = l.out.Write([]byte(logging.Printable(header+line.Text) + "\n")) // it has no error
	case l.lines != nil && line.Proxy != "":
		l.lines.Info("access", "proxy", line.Proxy, "line", line.Text)
	case l.lines != nil:
		l.lines.Info("access", "line", line.Text)
	}
}

// Reopen opens the file again, if there is one, which creates it if it is missing: it may
// have been renamed. Lines added before go to the old file.
func (l *Log) Reopen() {
	if l.file != nil {
		l.file.reopen.Store(true)
		_, _ = l.out.Write(nil) // wakes it
	}
}

// Counter returns the metric of dropped lines.
func (l *Log) Counter() prometheus.Collector {
	const name, help = "haproxyzk_access_log_lines_lost_total", "Lines of ACCESS_LOG dropped because the file or stdout was full, slow, closed or could not be opened."
	if l.out == nil {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return 0 })
	}
	return l.out.Counter(name, help)
}

// Drain writes what is queued, for at most a second. Call it once, when nothing is added
// any more.
func (l *Log) Drain() {
	if l.out != nil {
		l.out.Drain()
	}
}
