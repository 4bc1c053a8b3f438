package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// identity distinguishes a process from a later one with the same pid.
type identity struct {
	pid int
	// started is the start time in clock ticks since boot.
	started uint64
}

// identify returns the identity of the process that has the pid now. A process that has
// ended, reaped or not, is an error.
func identify(pid int) (identity, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return identity{}, err
	}
	// `pid (comm) state …` of proc_pid_stat(5), where comm may contain anything; the
	// start time is field 22.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	switch {
	case len(fields) < 20:
		return identity{}, fmt.Errorf("process %d: no start time in /proc", pid)
	case fields[0] == "Z" || fields[0] == "X":
		return identity{}, fmt.Errorf("process %d has ended", pid)
	}
	started, err := strconv.ParseUint(fields[19], 10, 64)
	return identity{pid, started}, err
}

// users returns the real, effective, saved and file system users of a process.
func users(pid int) ([]int, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(status)) {
		ids, found := strings.CutPrefix(line, "Uid:")
		if !found {
			continue
		}
		var all []int
		for word := range strings.FieldsSeq(ids) {
			uid, err := strconv.Atoi(word)
			if err != nil {
				return nil, err
			}
			all = append(all, uid)
		}
		return all, nil
	}
	return nil, fmt.Errorf("process %d: no users in /proc", pid)
}

// verify returns nil if a process whose arguments look like those of this proxy's
// HAProxy is that HAProxy, and otherwise the reason why not. Arguments prove nothing:
// every process chooses its own. A recorded process was started by haproxy-zk, whatever
// it executes and whatever user it runs as. For all others, left by the Python daemon
// or by a crash before they were recorded, user and executable decide.
func (h *HAProxy) verify(pid int, recorded []identity) error {
	now, err := identify(pid)
	if err != nil {
		return err
	}
	if slices.Contains(recorded, now) {
		return nil
	}
	all, err := users(pid)
	if err != nil {
		return err
	}
	for _, uid := range all {
		if uid != os.Geteuid() && (uid != h.WorkerUID || os.Geteuid() != 0) {
			return fmt.Errorf("it belongs to uid %d", uid)
		}
	}
	return h.executes(pid)
}

// executes returns nil if a process executes HAProxy.
func (h *HAProxy) executes(pid int) error {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	link := filepath.Join(dir, "exe")
	path, err := os.Readlink(link)
	if errors.Is(err, os.ErrPermission) {
		// For a process that has changed its user this needs CAP_SYS_PTRACE, which root lacks
		// in a container.
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err == nil && !h.isHAProxy(strings.TrimSpace(string(comm))) {
			err = fmt.Errorf("its process name is %.40q", strings.TrimSpace(string(comm)))
		}
		return err
	}
	if err != nil {
		return err
	}
	if is, err := os.Stat(link); err == nil {
		if wanted, err := os.Stat(h.Exec); err == nil && os.SameFile(is, wanted) {
			return nil
		}
	}
	name := filepath.Base(strings.TrimSuffix(path, " (deleted)")) // an upgrade replaced it
	if h.isHAProxy(name) || interprets(name) && h.interpreted(pid) {
		return nil
	}
	return fmt.Errorf("it executes %s", path)
}

// isHAProxy reports whether an executable's name is one of HAProxy's, such as
// haproxy-2.6, or that of Exec.
func (h *HAProxy) isHAProxy(name string) bool {
	return strings.HasPrefix(name, "haproxy") || name == filepath.Base(h.Exec)
}

// interprets reports whether an executable runs another one named in its arguments: the
// dynamic loader or an emulator.
func interprets(name string) bool {
	return strings.HasPrefix(name, "ld-") || strings.HasPrefix(name, "ld.so") || strings.HasPrefix(name, "ld64.so") || strings.HasPrefix(name, "qemu-")
}

// interpreted reports whether one of the arguments before HAProxy's own is HAProxy.
func (h *HAProxy) interpreted(pid int) bool {
	args, _ := arguments(pid)
	for _, arg := range args {
		if arg == "-D" || arg == "-f" {
			return false
		}
		if filepath.IsAbs(arg) && h.isHAProxy(filepath.Base(arg)) {
			return true
		}
	}
	return false
}
