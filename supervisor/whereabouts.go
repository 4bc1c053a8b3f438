package supervisor

import (
	"os"
	"path/filepath"
	"strings"
)

// whereabouts tell the processes that mean our files by their names from those of
// a container, which its host sees too.
type whereabouts struct {
	// mount is the mount namespace; empty where it may not be read, as that of a
	// process that has changed its user.
	mount string
	// cgroup is empty where there are none.
	cgroup string
	// nested is true of one that has a pid namespace of its own.
	nested bool
}

// locate finds a process in /proc: a pid, or self. Of one that has ended it may
// find nothing. An error is that this process has no descriptor to look with.
func locate(pid string) (w whereabouts, err error) {
	dir := filepath.Join("/proc", pid)
	w.mount, _ = os.Readlink(filepath.Join(dir, "ns/mnt"))
	cgroup, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	if noDescriptor(err) {
		return w, err
	}
	w.cgroup = string(cgroup)
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if noDescriptor(err) {
		return w, err
	}
	for line := range strings.Lines(string(status)) {
		// A pid for each namespace, from that of /proc inwards.
		if pids, found := strings.CutPrefix(line, "NSpid:"); found {
			w.nested = len(strings.Fields(pids)) > 1
		}
	}
	return w, nil
}

// near tells whether a name of a file means the same to both. systemd gives each
// start of a service a mount namespace of its own, and leaves its cgroup.
func (w whereabouts) near(other whereabouts) bool {
	if w.mount != "" && w.mount == other.mount {
		return true
	}
	return w.nested == other.nested && w.cgroup != "" && w.cgroup == other.cgroup
}
