//go:build release

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// property returns a property of the unit from `systemctl show`.
func (h *host) property(name string) string {
	h.t.Helper()
	return h.run("systemctl", "show", "--value", "--property", name, unit)
}

// becomes waits until properties of the unit have the values that follow them.
func (h *host) becomes(pairs ...string) {
	h.t.Helper()
	h.eventually("the unit", func() error {
		for i := 0; i < len(pairs); i += 2 {
			if got := h.property(pairs[i]); got != pairs[i+1] {
				return fmt.Errorf("%s is %q, want %q", pairs[i], got, pairs[i+1])
			}
		}
		return nil
	})
}

// logs waits until all these words are in the unit's journal, which receives them with
// a delay.
func (h *host) logs(words ...string) {
	h.t.Helper()
	h.eventually("the journal", func() error {
		said, err := h.try("journalctl", "--unit", unit, "--no-pager", "--output", "cat")
		if err != nil {
			return err
		}
		for _, w := range words {
			if !strings.Contains(said, w) {
				return fmt.Errorf("it has no %q:\n%s", w, said)
			}
		}
		return nil
	})
}

func (h *host) start() {
	h.t.Helper()
	h.run("systemctl", "start", unit)
}

// processes returns the processes of the unit's control group by executable, with their
// pids on this host.
func (h *host) processes() (map[string][]int, error) {
	first, err := h.PID()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/sys/fs/cgroup/system.slice/%s/cgroup.procs", first, unit))
	// ENODEV while reading: it is just being removed.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := make(map[string][]int)
	for field := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil {
			continue // it has ended
		}
		name := filepath.Base(exe)
		all[name] = append(all[name], pid)
	}
	return all, nil
}

// pids waits for one haproxy-zk and one HAProxy, and returns their pids.
func (h *host) pids() (main, haproxy int) {
	h.t.Helper()
	h.eventually("one haproxy-zk and one HAProxy", func() error {
		all, err := h.processes()
		if err != nil {
			return err
		}
		if len(all) != 2 || len(all["haproxy-zk"]) != 1 || len(all["haproxy"]) != 1 {
			return fmt.Errorf("there are %v", all)
		}
		main, haproxy = all["haproxy-zk"][0], all["haproxy"][0]
		return nil
	})
	return main, haproxy
}

// servesAlone asserts that an HAProxy serves without haproxy-zk.
func (h *host) servesAlone(haproxy int) {
	h.t.Helper()
	all, err := h.processes()
	if err != nil || len(all) != 1 || len(all["haproxy"]) != 1 || all["haproxy"][0] != haproxy {
		h.t.Errorf("there are %v, %v, want HAProxy %d alone", all, err, haproxy)
	}
}

// takenOver waits until another haproxy-zk than main is running, with one HAProxy.
func (h *host) takenOver(main int) {
	h.t.Helper()
	h.eventually("another haproxy-zk", func() error {
		all, err := h.processes()
		if err == nil && (len(all["haproxy-zk"]) != 1 || all["haproxy-zk"][0] == main) {
			err = fmt.Errorf("there are %v, %d before", all, main)
		}
		return err
	})
	h.becomes("ActiveState", "active", "SubState", "running")
	h.pids()
}

// ended returns nil if a process has ended.
func (h *host) ended(pid int) error {
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("process %d is there", pid)
	}
	return nil
}

// nothingRuns asserts that the unit has no process left.
func (h *host) nothingRuns() {
	h.t.Helper()
	if all, err := h.processes(); err != nil || len(all) > 0 {
		h.t.Errorf("left: %v, %v", all, err)
	}
}

func (h *host) signal(pid int, sig syscall.Signal) {
	h.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		h.t.Fatal(err)
	}
}

// inside returns the pid of a process on the host.
func (h *host) inside(pid int) string {
	h.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		h.t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "\nNSpid:")
	line, _, _ = strings.Cut(line, "\n")
	ids := strings.Fields(line)
	return ids[len(ids)-1]
}

// busy returns nil while HAProxy has a request running in a group.
func (h *host) busy(group string) error {
	first, err := h.PID()
	if err != nil {
		return err
	}
	answer, err := rig.Stats(fmt.Sprintf("/proc/%d/root/run/haproxy-zk/default.1.sock", first), "show stat")
	if err != nil {
		return err
	}
	for line := range strings.Lines(answer) {
		// pxname,svname,qcur,qmax,scur: the same in all versions.
		if f := strings.Split(line, ","); len(f) > 4 && f[0] == group && f[1] == "BACKEND" && f[4] != "0" {
			return nil
		}
	}
	return fmt.Errorf("no request runs in %s", group)
}
