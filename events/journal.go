package events

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
	"github.com/haproxy-zk/haproxy-zk/retry"
	"github.com/haproxy-zk/haproxy-zk/streak"
)

const (
	fileName = "events.log"
	fileMode = 0o600
	// writeEvery is the shortest interval between two writes. The pause is also at least
	// restPart times as long as a write takes.
	writeEvery = time.Second
	restPart   = 20
	// A failed write is retried after retryFirst, and then at least every retryEvery.
	retryFirst = time.Second
	retryEvery = 30 * time.Second
)

// JournalOptions are the options of a [Journal]. All are required.
type JournalOptions struct {
	// Dir is the directory of the file; it is created if missing.
	Dir string
	// Ring has no events before [Journal.Load].
	Ring    *Ring
	Logger  *slog.Logger
	Metrics *Metrics
	// Remedy returns the advice for a file that cannot be written; empty if there is none.
	Remedy func(error) string
}

// Journal writes the events of a ring to a file, so that they outlast the process. What
// it writes is appended, and the file is rewritten when it has grown to 8 MiB.
type Journal struct {
	JournalOptions

	// These belong to Load, then to Run.

	written uint64 // number of the last event in the file
	size    int64  // of the file; negative if it has to be rewritten
}

// NewJournal returns a journal that neither reads nor writes before Load and Run.
func NewJournal(o JournalOptions) *Journal { return &Journal{JournalOptions: o, size: -1} }

func (j *Journal) path() string { return filepath.Join(j.Dir, fileName) }

// Load puts the events of the file into the ring. A missing file is normal; an unusable
// one is logged and ignored, and so is what is damaged in it. Call it at most once,
// before an event is recorded.
func (j *Journal) Load() {
	text, err := ownfile.Opener{}.Read(j.path(), maxFile)
	switch refusal, refused := errors.AsType[*ownfile.Refusal](err); {
	case errors.Is(err, fs.ErrNotExist):
		return
	case refused:
		j.Logger.Warn("ignoring the recorded events, earlier ones are not shown", "file", j.path(), "problem", "it "+refusal.Reason)
		return
	case err != nil:
		j.Logger.Warn("ignoring the recorded events, earlier ones are not shown", "file", j.path(), "problem", err)
		return
	}
	events, damaged, clean := parse(text)
	if damaged > 0 {
		j.Logger.Warn("recorded events are damaged, some earlier ones are not shown", "file", j.path(), "damaged_lines", damaged, "read", len(events))
	} else {
		j.size = int64(len(text))
	}
	j.Ring.restore(events, clean)
	j.written = j.Ring.After(math.MaxUint64, 0).Last
}

// Run writes events, at most once a second, until ctx is done; then it writes those that
// are still unwritten and returns.
func (j *Journal) Run(ctx context.Context) {
	var failing streak.Streak
	pause := retry.Backoff(retryFirst, retryEvery)
	for ctx.Err() == nil {
		select {
		case <-j.Ring.Changed(j.written):
		case <-ctx.Done():
			continue
		}
		began := time.Now()
		j.write(&failing)
		wait := max(writeEvery, restPart*time.Since(began))
		if failing.Failing() {
			wait = pause.NextBackOff()
		} else {
			pause.Reset()
		}
		rest := time.NewTimer(wait)
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
		rest.Stop()
	}
	j.write(&failing)
}

// write writes what is unwritten, and logs failures and their end.
func (j *Journal) write(failing *streak.Streak) {
	events, last := j.unwritten(j.written)
	if len(events) == 0 {
		return
	}
	err := j.append(events)
	if err != nil {
		j.size = -1 // part of it may have been written
		last, err = j.rewrite()
	}
	j.Metrics.count(err)
	if err != nil {
		if attrs, due := failing.Failed(time.Now(), err.Error()); due {
			j.Logger.With(attrs...).Warn("cannot write the recorded events; they would be lost at the next restart", "file", j.path(), "error", err, "remedy", j.Remedy(err))
		}
		return
	}
	j.written = last
	if attrs, ended := failing.Over(time.Now()); ended {
		j.Logger.With(attrs...).Info("recorded events are written again", "file", j.path())
	}
}

// unwritten returns the kept events with numbers above seq, and the number up to which
// these are all.
func (j *Journal) unwritten(seq uint64) (events []Event, last uint64) {
	const most = 256 // more would delay whoever records one
	for {
		p := j.Ring.After(seq, most)
		if events = append(events, p.Events...); len(p.Events) < most {
			return events, max(seq, p.Last)
		}
		seq = p.Events[most-1].Seq
	}
}

// errChanged means that the file is not as it was left, or has no room.
var errChanged = errors.New("the file has to be rewritten")

// append appends events to the file as it was left.
func (j *Journal) append(events []Event) (err error) {
	if j.size < 0 {
		return errChanged
	}
	var lines []byte
	for i := range events {
		lines = appendLine(lines, &events[i])
	}
	if j.size+int64(len(lines)) > maxFile {
		return errChanged
	}
	f, err := ownfile.Opener{}.Open(j.path(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err := f.Stat(); err != nil || info.Size() != j.size || linked(info) {
		return errors.Join(errChanged, err)
	}
	if _, err := f.Write(lines); err != nil {
		return err
	}
	j.size += int64(len(lines))
	return f.Sync()
}

// linked reports whether a file has another name: it may be meant for something else.
func linked(info fs.FileInfo) bool {
	stat, known := info.Sys().(*syscall.Stat_t)
	return known && stat.Nlink != 1
}

// rewrite replaces the file by one with the events of the ring, and returns the number of
// the last one.
func (j *Journal) rewrite() (last uint64, err error) {
	events, last := j.unwritten(0)
	text := fitting(events, rewritten)
	if err := os.MkdirAll(j.Dir, 0o700); err != nil {
		return 0, err
	}
	if err := ownfile.ReplaceDurably(j.path(), text, fileMode); err != nil {
		return 0, err
	}
	j.size = int64(len(text))
	return last, nil
}
