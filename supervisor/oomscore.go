package supervisor

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// oomScore makes the kernel kill this process before its children when memory runs out:
// HAProxy keeps serving, and the daemon is restarted.
//
// oom_score_adj (proc_pid_oom_score_adj(5)) is inherited, so it is lowered around each
// fork. The file stays open because there may be no file descriptor later.
type oomScore struct {
	file *os.File // nil: unchanged
	base int
}

const (
	// Half of the memory: more than any difference between this process and a worker,
	// unless that worker itself takes all of it.
	oomScoreRaise = 500
	maxOOMScore   = 1000
)

// Sacrifice makes the kernel kill this process before HAProxy when memory runs out. It
// is for a process that is restarted when it dies. Call it before any child is started.
// On error nothing has changed.
func (r *Reaper) Sacrifice() error {
	f, err := os.OpenFile("/proc/self/oom_score_adj", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("prefer HAProxy when memory runs out: %w", err)
	}
	var text [16]byte
	n, _ := f.ReadAt(text[:], 0) // a failed read leaves no number
	base, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	s := oomScore{f, base}
	if err == nil {
		err = s.write(min(base+oomScoreRaise, maxOOMScore))
	}
	if err == nil {
		// If the score cannot be lowered again, HAProxy gains nothing.
		err = s.write(base)
	}
	if err == nil {
		err = s.write(min(base+oomScoreRaise, maxOOMScore))
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("prefer HAProxy when memory runs out: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.oomScore = s
	return nil
}

func (s oomScore) write(score int) error {
	_, err := s.file.WriteAt([]byte(strconv.Itoa(score)), 0)
	return err
}

// suspend restores the original score for processes forked before resume is called.
func (s oomScore) suspend() (resume func()) {
	if s.file == nil {
		return func() {}
	}
	_ = s.write(s.base) // it succeeded in Sacrifice
	return func() { _ = s.write(min(s.base+oomScoreRaise, maxOOMScore)) }
}
