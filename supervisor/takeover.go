package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// findEarlier returns the HAProxy of this proxy that another process of ours
// started and did not stop, nil when there is none. It is given back by
// abandon, or else taken over.
func (h *HAProxy) findEarlier() *generation {
	pids := h.earlierPIDs()
	if len(pids) == 0 {
		return nil
	}
	g := &generation{earlier: true, since: time.Now()}
	for _, pid := range pids {
		s, err := h.openStranger(pid)
		switch {
		case errors.Is(err, unix.ESRCH):
		case err != nil:
			h.Logger.Warn("cannot watch a process of an HAProxy that runs already, nobody sees it end", "pid", pid, "error", err)
			g.unwatched = append(g.unwatched, pid)
		case len(serving([]int{pid}, h.ConfFile, h.PIDFile)) == 0 || !s.lives():
			// What was found had ended, and the pidfd is another's.
			s.release()
		default:
			h.watchers.Go(s.await)
			g.workers = append(g.workers, &worker{process: s, pid: pid})
		}
	}
	if len(g.workers)+len(g.unwatched) == 0 {
		return nil
	}
	h.Logger.Info("taking over from an HAProxy that runs already", "pids", append(pidsOf(g.workers), g.unwatched...))
	return g
}

// takeOver makes an earlier generation the current one as it is.
func (h *HAProxy) takeOver() {
	if h.current = h.findEarlier(); h.current != nil {
		h.watch(h.current)
	}
}

// abandon leaves an earlier generation as it was found.
func (h *HAProxy) abandon(g *generation) {
	for _, w := range g.workers {
		w.process.(*stranger).release()
	}
}

// earlierPIDs are the processes of the pid file, and others that were started
// with the same files: those that still finish their connections, or all when
// a reload was interrupted.
func (h *HAProxy) earlierPIDs() []int {
	named, _ := readPIDs(h.PIDFile)
	pids := serving(named, h.ConfFile, h.PIDFile)
	others, err := h.processes()
	if err != nil {
		h.Logger.Warn("cannot look for an HAProxy that runs already, one that the pid file does not name is not taken over", "error", err)
	}
	for _, pid := range others {
		if !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processes are those that were started with both files of this proxy.
func (h *HAProxy) processes() ([]int, error) {
	here, err := locate("self")
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		args, err := arguments(pid)
		if noDescriptor(err) {
			return nil, fmt.Errorf("look for processes: %w", err)
		}
		if !hasFlag(args, "-f", h.ConfFile) || !hasFlag(args, "-p", h.PIDFile) {
			continue
		}
		there, err := locate(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("look for processes: %w", err)
		}
		if here.near(there) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// serving returns which of pids are processes that were started with one of
// files in their command line: HAProxy of this proxy, and no stranger that got
// an old pid.
func serving(pids []int, files ...string) []int {
	return slices.DeleteFunc(slices.Clone(pids), func(pid int) bool {
		args, _ := arguments(pid)
		return !slices.ContainsFunc(args, func(arg string) bool { return slices.Contains(files, arg) })
	})
}

// arguments are a process's; an error when it has ended.
func arguments(pid int) ([]string, error) {
	cmdline, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return nil, err
	}
	return strings.Split(string(cmdline), "\x00"), nil
}

func hasFlag(args []string, flag, value string) bool {
	for i := range len(args) - 1 {
		if args[i] == flag && args[i+1] == value {
			return true
		}
	}
	return false
}

// keepsListeners tells whether a launcher failed because the process behind the
// socket of -x gives no listeners: `expose-fd listeners` is missing there. It is
// the one sentence of HAProxy that has to be understood here, since any other
// failure would only do harm when repeated with -sf.
func keepsListeners(err error) bool {
	exit, ran := errors.AsType[*ExitError](err)
	return ran && strings.Contains(exit.Output, "Failed to get the sockets from the old process")
}
