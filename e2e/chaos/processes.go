package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	// replaced is how long a dead worker may be missing: usually 100 ms, longer if a
	// generation as young as it died before.
	replaced = 4 * time.Second
	// found is how long a hung worker may stay: two missed deadlines.
	found = 8 * time.Second
)

// workers returns the serving HAProxy processes. It is an error while they change.
func (w *world) workers() ([]int, error) {
	text, err := os.ReadFile(w.config.PIDFile())
	if err != nil {
		return nil, err
	}
	var pids []int
	for word := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		if ended(pid) {
			return nil, fmt.Errorf("worker %d has ended", pid)
		}
		pids = append(pids, pid)
	}
	want := 1
	if w.haproxy.Nbproc {
		want = w.config.Workers
	}
	if len(pids) != want {
		return nil, fmt.Errorf("workers %v, want %d", pids, want)
	}
	return pids, nil
}

// serving waits for workers none of which is in others.
func (w *world) serving(ctx context.Context, others ...int) (pids []int, err error) {
	return pids, w.eventually(ctx, "workers serve", func() error {
		pids, err = w.workers()
		if err == nil && slices.ContainsFunc(pids, func(pid int) bool { return slices.Contains(others, pid) }) {
			err = fmt.Errorf("%v serve, some of them as before", pids)
		}
		if err != nil {
			return err
		}
		c, err := w.condition()
		if err == nil && (len(c.Generations) == 0 || !slices.Equal(slices.Sorted(slices.Values(c.Generations[0].PIDs)), slices.Sorted(slices.Values(pids)))) {
			err = fmt.Errorf("generations %v, the pid file has %v", c.Generations, pids)
		}
		return err
	})
}

// settled waits until no generation accepts that does not know a group. During a reload
// either generation may answer on a socket.
func (w *world) settled(ctx context.Context, group string) error {
	return w.eventually(ctx, "one generation that knows "+group, func() error {
		var knowing []int
		for _, socket := range w.config.Sockets() {
			answer, err := rig.Stats(socket, "show info;show servers state "+group)
			if err != nil {
				return err
			}
			pid := rig.PID(answer)
			if !strings.Contains(answer, " "+group+" ") {
				return fmt.Errorf("worker %d does not know %s", pid, group)
			}
			knowing = append(knowing, pid)
		}
		c, err := w.condition()
		if err == nil && (len(c.Generations) != 1 || slices.ContainsFunc(knowing, func(pid int) bool { return !slices.Contains(c.Generations[0].PIDs, pid) })) {
			err = fmt.Errorf("workers %v know %s, generations %v", knowing, group, c.Generations)
		}
		return err
	})
}

// ended reports whether a process has ended. A zombie counts as ended once its other
// threads have: until then its listeners get connections.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	if _, rest, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(rest, "Z") {
		return false
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err != nil || len(threads) <= 1
}

// awaitEnd waits until a death is over, and records its times.
func (w *world) awaitEnd(ctx context.Context, d *death) error {
	if err := w.eventually(ctx, fmt.Sprintf("%s is ended", d.what), func() error {
		if !ended(d.worker) {
			return errors.New("it still lives")
		}
		return nil
	}); err != nil {
		return err
	}
	w.oracle.update(d, func(d *death) { d.gone = time.Now() })
	if _, err := w.serving(ctx, d.worker); err != nil {
		return err
	}
	w.oracle.update(d, func(d *death) { d.over = time.Now() })
	return nil
}

// victim draws one of the serving workers; alone is true if there is no other.
func (w *world) victim(ctx context.Context, s step) (pid int, alone bool, err error) {
	pids, err := w.serving(ctx)
	if err != nil {
		return 0, false, err
	}
	return pids[s.rand().IntN(len(pids))], len(pids) == 1, nil
}

func killWorker(ctx context.Context, w *world, s step) error {
	pid, alone, err := w.victim(ctx, s)
	if err != nil {
		return err
	}
	d := w.oracle.addDeath(death{what: fmt.Sprintf("worker %d, killed", pid), worker: pid, alone: alone, most: replaced})
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	return w.awaitEnd(ctx, d)
}

// hangWorker stops a worker permanently: haproxy-zk has to kill and replace it.
func hangWorker(ctx context.Context, w *world, s step) error {
	pid, alone, err := w.victim(ctx, s)
	if err != nil {
		return err
	}
	d := w.oracle.addDeath(death{what: fmt.Sprintf("worker %d, stopped", pid), worker: pid, alone: alone, most: found + replaced})
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	return w.awaitEnd(ctx, d)
}

// pauseWorker stops a worker briefly, which costs nothing unless a reload takes it for
// hung.
func pauseWorker(ctx context.Context, w *world, s step) error {
	pid, alone, err := w.victim(ctx, s)
	if err != nil {
		return err
	}
	d := w.oracle.addDeath(death{what: fmt.Sprintf("worker %d, paused", pid), worker: pid, alone: alone, most: found + replaced})
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	s.keep(ctx)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	if _, err := w.serving(ctx); err != nil {
		return err
	}
	taken := w.transcript.find(func(l line) bool {
		return l.Msg == "killing a worker that does not answer" && strings.Contains(l.text, fmt.Sprintf(`"pid":%d`, pid))
	})
	if len(taken) == 0 {
		w.oracle.removeDeath(d)
		return nil
	}
	return w.awaitEnd(ctx, d)
}

// crashDaemon kills haproxy-zk, and starts it again.
func crashDaemon(ctx context.Context, w *world, s step) error {
	w.guarded.Lock()
	defer w.guarded.Unlock()
	old := w.running()
	old.Kill()
	s.keep(ctx)
	if err := w.launch(ctx); err != nil {
		return err
	}
	_, err := w.serving(ctx)
	return err
}

// reloadDaemon requests a reload.
func reloadDaemon(ctx context.Context, w *world, _ step) error {
	before, err := w.serving(ctx)
	if err != nil {
		return err
	}
	if err := w.signal(syscall.SIGUSR2); err != nil {
		return err
	}
	_, err = w.serving(ctx, before...)
	return err
}
