package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// proofSuffix is appended to the pid file's name.
const proofSuffix = ".generation"

// maxProof bounds the file: nine generations of 64 processes take 100 KB.
const maxProof = 1 << 20

// proof describes the generation that a daemon has proven. After a crash the next
// daemon uses it to decide whether the running HAProxy is the one it would start.
type proof struct {
	// Shape is the shape of the configuration.
	Shape string
	// Exec is the executable that was launched.
	Exec file
	// Workers is how many workers were proven.
	Workers int
	// Serving are the workers alive at the time; those in Draining have been, or are about
	// to be, asked to finish.
	Serving  provenGeneration
	Draining []provenGeneration
}

type provenGeneration struct {
	// Since is that of a [Generation], in nanoseconds of CLOCK_MONOTONIC: the wall clock
	// may be stepped.
	Since   int64
	Workers []provenWorker
}

// monotonic converts a time to the clock that is never stepped.
func monotonic(at time.Time) int64 {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return 0
	}
	return now.Nano() - time.Since(at).Nanoseconds()
}

// since is the inverse of monotonic.
func (g provenGeneration) since() time.Time {
	return time.Now().Add(time.Duration(g.Since - monotonic(time.Now())))
}

// provenWorker identifies a process, also against a later one with its pid.
type provenWorker struct {
	PID int
	// Started is its start time in clock ticks since boot.
	Started uint64
	// Exe is the executable it runs, which differs from Exec if that is a script. It is
	// the zero value if HAProxy has changed its user and the link cannot be read.
	Exe file
}

// file identifies the content of a file, provided that changes replace the file.
type file struct {
	Dev, Inode uint64
	Size       int64
	Modified   int64 // nanoseconds
}

func fileAt(path string) (file, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return file{}, fmt.Errorf("stat %s: %w", path, err)
	}
	return file{stat.Dev, stat.Ino, stat.Size, stat.Mtim.Nano()}, nil
}

// describeWorker returns the entry of a living process in a proof.
func describeWorker(pid int) (provenWorker, error) {
	id, err := identify(pid)
	if err != nil {
		return provenWorker{}, err
	}
	exe, err := fileAt(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return provenWorker{}, err
	}
	return provenWorker{pid, id.started, exe}, nil
}

// describeGeneration leaves out processes that have ended.
func describeGeneration(workers []*worker, since time.Time) provenGeneration {
	r := provenGeneration{Since: monotonic(since)}
	for _, w := range workers {
		if d, err := describeWorker(w.pid); err == nil {
			r.Workers = append(r.Workers, d)
		}
	}
	return r
}

// writeProof records that next is proven and is about to replace old, which may be nil.
// A failure is only logged: an older proof does not contain these workers, so the next
// daemon reloads.
func (h *HAProxy) writeProof(shape string, next, old *liveGeneration) {
	exec, err := fileAt(h.Exec)
	if err == nil {
		r := proof{Shape: shape, Exec: exec, Workers: len(next.workers), Serving: describeGeneration(next.workers, next.since)}
		for _, g := range h.draining {
			r.Draining = append(r.Draining, describeGeneration(g.workers, g.since))
		}
		if old != nil {
			r.Draining = append(r.Draining, describeGeneration(old.workers, next.since))
		}
		var text []byte
		if text, err = json.Marshal(r); err == nil {
			err = ownfile.Replace(h.PIDFile+proofSuffix, text, recordMode)
		}
	}
	if err != nil {
		h.Logger.Debug("cannot record the generation, a restart of haproxy-zk will reload HAProxy", "error", err)
	}
}

// readProof reads the proof that the previous daemon wrote.
func readProof(path string) (p proof, err error) {
	text, err := readOwn(path, maxProof)
	if err != nil {
		return p, fmt.Errorf("read the proof of a generation: %w", err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return proof{}, fmt.Errorf("read the proof of a generation: %s: %w", path, err)
	}
	return p, nil
}

// find returns the proven generation of a process; -1 is the serving one.
func (p proof) find(w provenWorker) (generation int, found bool) {
	if slices.Contains(p.Serving.Workers, w) {
		return -1, true
	}
	for i, g := range p.Draining {
		if slices.Contains(g.Workers, w) {
			return i, true
		}
	}
	return 0, false
}
