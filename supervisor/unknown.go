package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

// unknownEvery is how often a stop looks for processes that are not known workers.
const unknownEvery = 10 * time.Millisecond

// sentSignal is the last signal sent to a process.
type sentSignal struct {
	signal unix.Signal
	at     time.Time
}

// terminateUnknown terminates the processes of this proxy that are not in known, and
// looks again until it finds none, because a process forked during the last search would
// serve forever. A process left by a launch was never proven and is killed at once. If
// the stop was requested, unwatched processes of an earlier HAProxy are terminated too;
// they finish their connections until grace is done. It returns those that survived.
func (h *HAProxy) terminateUnknown(grace context.Context, requested bool, known []int) (left []int, err error) {
	begun := time.Now()
	last := make(map[int]sentSignal)
	for {
		pids, err := h.unknown(requested, known)
		if err != nil {
			if !retry.NoDescriptor(err) || time.Since(begun) > killedWithin {
				return nil, err
			}
		} else if len(pids) == 0 {
			return nil, nil
		}
		left = left[:0]
		for _, pid := range pids {
			before := last[pid]
			if before.signal == unix.SIGKILL && time.Since(before.at) > killedWithin {
				left = append(left, pid)
				continue
			}
			sig := h.nextSignal(grace, pid, before)
			if sig == before.signal {
				continue
			}
			last[pid] = sentSignal{sig, time.Now()}
			h.Logger.Warn("killing a process of this HAProxy that is not a known worker", "pid", pid, "signal", unix.SignalName(sig))
			if err := h.signalUnknown(pid, sig); err != nil {
				h.Logger.Error("cannot signal a process", "error", err)
			}
		}
		if len(left) > 0 && len(left) == len(pids) {
			return left, nil
		}
		<-time.After(unknownEvery)
	}
}

// unknown returns the processes for terminateUnknown.
func (h *HAProxy) unknown(requested bool, known []int) ([]int, error) {
	pids, err := h.processes()
	pids = slices.DeleteFunc(pids, func(pid int) bool {
		return slices.Contains(known, pid) || !requested && !h.leftByLaunch(pid)
	})
	return h.ownProcesses(pids), err
}

// nextSignal returns the signal that a process should have received by now.
func (h *HAProxy) nextSignal(grace context.Context, pid int, last sentSignal) unix.Signal {
	switch {
	case h.leftByLaunch(pid), last.signal == unix.SIGTERM && time.Since(last.at) > endWithin:
		return unix.SIGKILL
	case last.signal == 0:
		return unix.SIGUSR1
	case last.signal == unix.SIGUSR1 && grace.Err() != nil:
		return unix.SIGTERM
	}
	return last.signal
}

// signalUnknown sends sig to the process that now has the pid and this proxy's files,
// and, if the kernel has pidfds, never to a later process with that pid.
func (h *HAProxy) signalUnknown(pid int, sig unix.Signal) error {
	s, watching := h.openForeignProcess(pid)
	if watching == nil {
		defer s.close()
	}
	if errors.Is(watching, unix.ESRCH) || len(startedWith([]int{pid}, h.ConfFile, h.PIDFile)) == 0 {
		return nil
	}
	if watching == nil {
		return s.sendSignal(sig)
	}
	if err := unix.Kill(pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(sig), pid, err)
	}
	return nil
}
