package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

// findEarlier returns the HAProxy of this proxy that an earlier haproxy-zk started and
// did not stop, or nil if there is none. The caller either takes it over or calls
// abandon.
func (h *HAProxy) findEarlier() *liveGeneration {
	pids := h.earlierPIDs()
	if len(pids) == 0 {
		return nil
	}
	g := &liveGeneration{earlier: true, since: time.Now()}
	for _, pid := range pids {
		s, err := h.openForeignProcess(pid)
		switch {
		case errors.Is(err, unix.ESRCH):
		case err != nil:
			h.Logger.Warn("cannot watch a process of the running HAProxy, its end will go unnoticed", "pid", pid, "error", err)
			g.unwatched = append(g.unwatched, pid)
		case len(h.ownProcesses(startedWith([]int{pid}, h.ConfFile, h.PIDFile))) == 0 || !s.alive():
			// The process found had ended, and the pidfd is another's.
			s.close()
		default:
			h.watchers.Go(s.await)
			g.workers = append(g.workers, &worker{process: s, pid: pid})
		}
	}
	if len(g.workers)+len(g.unwatched) == 0 {
		return nil
	}
	return g
}

// takeOver makes an earlier generation the current one, unchanged.
func (h *HAProxy) takeOver() {
	if h.current = h.findEarlier(); h.current != nil {
		h.logTakeover(h.current)
		h.watch(h.current)
	}
}

func (h *HAProxy) logTakeover(g *liveGeneration) {
	h.Logger.Info("taking over from a running HAProxy", "pids", append(pidsOf(g.workers), g.unwatched...))
}

// abandon leaves an earlier generation unchanged.
func (h *HAProxy) abandon(g *liveGeneration) {
	for _, w := range g.workers {
		w.process.(*foreignProcess).close()
	}
}

// earlierPIDs returns the processes of the pid file and others started with the same
// files: draining ones, or all of them if a reload was interrupted.
func (h *HAProxy) earlierPIDs() []int {
	named, err := readPIDs(h.PIDFile)
	if err != nil && !errors.Is(err, errIncomplete) && !errors.Is(err, fs.ErrNotExist) {
		h.Logger.Warn("ignoring the pid file of an earlier HAProxy, searching all processes", "error", err)
	}
	pids := startedWith(named, h.ConfFile, h.PIDFile)
	for _, pid := range named {
		if !slices.Contains(pids, pid) {
			h.logForeign(pid, errors.New("the pid file lists it, but it was started with other files: the pid file is stale"))
		}
	}
	others, err := h.processes()
	if err != nil {
		h.Logger.Warn("cannot look for a running HAProxy; one that the pid file does not name is not taken over", "error", err)
	}
	for _, pid := range others {
		if !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return h.ownProcesses(pids)
}

// processes returns the processes started with both files of this proxy.
func (h *HAProxy) processes() ([]int, error) {
	here, err := namespacesOf("self")
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	return search(func(pid int) (bool, error) {
		args, err := arguments(pid)
		if err != nil || !hasFlag(args, "-f", h.ConfFile) || !hasFlag(args, "-p", h.PIDFile) {
			return false, err
		}
		there, err := namespacesOf(strconv.Itoa(pid))
		return here.sharesFilesWith(there), err
	})
}

// search returns the processes for which belongs returns true. A process that ends
// meanwhile is skipped; running out of file descriptors is an error ([retry.NoDescriptor]).
func search(belongs func(pid int) (bool, error)) ([]int, error) {
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
		ours, err := belongs(pid)
		if retry.NoDescriptor(err) {
			return nil, fmt.Errorf("look for processes: %w", err)
		}
		if ours {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// startedWith returns those of pids that have one of files in their command line: HAProxy
// of this proxy, and not a later process with an old pid.
func startedWith(pids []int, files ...string) []int {
	return slices.DeleteFunc(slices.Clone(pids), func(pid int) bool {
		args, _ := arguments(pid)
		return !slices.ContainsFunc(args, func(arg string) bool { return slices.Contains(files, arg) })
	})
}

// arguments returns a process's command line; it fails if the process has ended.
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

// refusesHandover reports whether a launcher failed because the process behind the
// socket of -x does not hand over its listeners, for lack of `expose-fd listeners`. This
// is the only message of HAProxy parsed in this package: retrying any other failure with
// -sf would only do harm.
func refusesHandover(err error) bool {
	exit, ran := errors.AsType[*ExitError](err)
	return ran && strings.Contains(exit.Output, "Failed to get the sockets from the old process")
}
