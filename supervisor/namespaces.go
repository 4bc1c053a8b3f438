package supervisor

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

// namespaces distinguish processes that use the same files from those of a container
// with the same paths, which its host sees too.
type namespaces struct {
	// mount is the mount namespace, empty if it cannot be read, as for a process that has
	// changed its user.
	mount string
	// cgroup is empty if there are none.
	cgroup string
	// nested is true for a process in a pid namespace below that of /proc.
	nested bool
}

// namespacesOf returns the namespaces of a process in /proc: a pid, or self. For a
// process that has ended they may be empty. An error means that this process is out of
// file descriptors.
func namespacesOf(pid string) (w namespaces, err error) {
	dir := filepath.Join("/proc", pid)
	w.mount, _ = os.Readlink(filepath.Join(dir, "ns/mnt"))
	cgroup, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	if retry.NoDescriptor(err) {
		return w, err
	}
	w.cgroup = string(cgroup)
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if retry.NoDescriptor(err) {
		return w, err
	}
	for line := range strings.Lines(string(status)) {
		// One pid per namespace, from that of /proc inwards.
		if pids, found := strings.CutPrefix(line, "NSpid:"); found {
			w.nested = len(strings.Fields(pids)) > 1
		}
	}
	return w, nil
}

// sharesFilesWith reports whether a path means the same file to both processes. systemd
// gives each start of a service its own mount namespace, but the same cgroup.
func (w namespaces) sharesFilesWith(other namespaces) bool {
	if w.mount != "" && w.mount == other.mount {
		return true
	}
	return w.nested == other.nested && w.cgroup != "" && w.cgroup == other.cgroup
}
