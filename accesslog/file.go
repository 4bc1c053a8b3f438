package accesslog

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
	"github.com/haproxy-zk/haproxy-zk/retry"
	"github.com/haproxy-zk/haproxy-zk/streak"
)

const (
	// fileMode is that of a file it creates: request lines may contain what only the
	// operators' group is to read.
	fileMode = 0o640
	// writeWithin bounds a write to a FIFO whose reader does not read.
	writeWithin = time.Second
	// After a failure lines are dropped for a while, from retryFirst to retryLongest.
	retryFirst, retryLongest = 100 * time.Millisecond, 5 * time.Second
)

// errWaiting is the error of a line that is dropped because of an earlier failure.
var errWaiting = errors.New("the file could not be written a moment ago")

// file is a file or FIFO that is written line by line. It belongs to one goroutine, except
// for reopen.
//
// A rotation renames the file, then either creates a new one, which the next line
// detects, or requests a reopen. Until then lines go to the renamed file, so that none is
// lost, and a missing file is not created: logrotate creates it with the mode and owner
// of its configuration.
type file struct {
	path string
	log  *slog.Logger
	// reopen is true if it was asked for.
	reopen atomic.Bool

	now  *os.File // nil: it is not open
	info fs.FileInfo
	// torn is true if the last line was cut short.
	torn    bool
	failing streak.Streak
	// rotation is the streak of failures to open the file again while the old one is written.
	rotation streak.Streak
	dropped  int // lines since the failure began
	pause    *backoff.ExponentialBackOff
	retryAt  time.Time
}

func newFile(path string, log *slog.Logger) *file {
	return &file{path: path, log: log, pause: retry.Backoff(retryFirst, retryLongest)}
}

// opener opens regular files and FIFOs of this user and root.
func opener() ownfile.Opener { return ownfile.Opener{FIFOs: true} }

// Check returns why the file at a path cannot be written, without creating it; nil if it
// can be. A FIFO may have no reader yet.
func Check(path string) error {
	f, err := opener().Open(path, os.O_WRONLY|os.O_APPEND, 0)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, ownfile.ErrNoReader):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		dir := filepath.Dir(path)
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			return &fs.PathError{Op: "create a file in", Path: dir, Err: err}
		}
		return nil
	}
	return err
}

// Write writes one line, or drops it; an empty one only opens the file. It may block for
// writeWithin, or for as long as the disk does.
func (f *file) Write(line []byte) (int, error) {
	n, err := f.write(line)
	if len(line) == 0 {
		return 0, nil
	}
	if err != nil {
		f.dropped++
	}
	return n, err
}

func (f *file) write(line []byte) (int, error) {
	if time.Now().Before(f.retryAt) {
		return 0, errWaiting
	}
	switch err := f.open(); {
	case err != nil && f.now == nil:
		f.failed(err)
		return 0, err
	case err != nil:
		f.logRotation(err)
	}
	if len(line) == 0 {
		return 0, nil
	}
	n, err := f.put(line)
	if err != nil {
		f.failed(err)
		return n, err
	}
	f.recovered()
	return n, nil
}

// open opens the file if that was asked for, or if the path names another one by now. On
// error the old one, if there is one, stays open.
func (f *file) open() error {
	if !f.reopen.Load() && f.now != nil {
		info, err := os.Lstat(f.path)
		if err != nil || os.SameFile(info, f.info) {
			return nil // it stays the same while the path is missing
		}
	}
	opened, err := opener().Open(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, fileMode)
	if err != nil {
		return ownfile.Explain(f.path, err)
	}
	info, err := opened.Stat()
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	if f.now != nil {
		_ = f.now.Close() // its lines are written
	}
	f.now, f.info, f.torn, f.rotation = opened, info, false, streak.Streak{}
	f.reopen.Store(false)
	return nil
}

// put writes a line, after the end of one that was cut short.
func (f *file) put(line []byte) (int, error) {
	if f.torn {
		line = append([]byte("\n"), line...)
	}
	_ = f.now.SetWriteDeadline(time.Now().Add(writeWithin)) // a regular file has none
	n, err := f.now.Write(line)
	f.torn = err != nil && (f.torn || n > 0)
	return n, err
}

// failed logs a failure, and drops the lines of a while.
func (f *file) failed(err error) {
	f.retryAt = time.Now().Add(f.pause.NextBackOff())
	if attrs, due := f.failing.Failed(time.Now(), err.Error()); due {
		f.log.With(attrs...).Error("cannot write the access log, dropping its lines", "file", f.path, "error", err, "dropped", f.dropped)
	}
}

// recovered logs the end of a streak of failures.
func (f *file) recovered() {
	if attrs, ended := f.failing.Over(time.Now()); ended {
		f.log.With(attrs...).Info("access log is written again", "file", f.path, "dropped", f.dropped)
		f.dropped = 0
		f.pause.Reset()
	}
}

// logRotation logs why the new file cannot be opened.
func (f *file) logRotation(err error) {
	if attrs, due := f.rotation.Failed(time.Now(), err.Error()); due {
		f.log.With(attrs...).Error("cannot open the new access log, writing to the rotated one", "file", f.path, "error", err)
	}
}
