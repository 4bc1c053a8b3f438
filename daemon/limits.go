package daemon

import (
	"errors"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"golang.org/x/sys/unix"
)

const (
	// HAProxy needs most of the cgroup's memory, twice as much during a reload: this
	// process gets a quarter. With 20,000 servers it needs less than that share.
	memoryPart = 4
	// Below this the process would do little but collect garbage.
	memoryLeast = 32 << 20

	// Queries, which anyone may send, get this fraction of the file descriptors: the
	// rest is for HAProxy's sockets, ZooKeeper and files.
	descriptorPart = 2
	// The listening sockets kept for one proxy get this fraction, and no more than
	// maxListeners: a proxy has a handful, plus one for each group with a listener_port.
	listenerPart = 8
	maxListeners = 4096
)

// limitMemory sets a soft memory limit from the cgroup's: close to it the process
// collects garbage more often instead of being killed, or getting HAProxy killed.
// GOMEMLIMIT takes precedence.
func limitMemory(log *slog.Logger, allowed memlimit.Provider) {
	if text := os.Getenv("GOMEMLIMIT"); text != "" {
		log.Info("memory limit set from the environment", "gomemlimit", text)
		return
	}
	limit, err := allowed()
	switch {
	case errors.Is(err, memlimit.ErrNoLimit), errors.Is(err, memlimit.ErrNoCgroup):
		log.Debug("memory is not limited")
	case err != nil:
		log.Warn("cannot read the cgroup's memory limit; set GOMEMLIMIT if it is small", "error", err)
	default:
		part := max(limit/memoryPart, memoryLeast)
		debug.SetMemoryLimit(int64(part)) //nolint:gosec // a quarter of an uint64 is an int64
		log.Info("memory limit set from the cgroup", "cgroup", limit, "gomemlimit", part)
	}
}

// queryConnections returns the maximum number of connections to the query API.
func queryConnections(log *slog.Logger) int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		log.Warn("cannot read the limit of open files", "error", err)
		return 0
	}
	return int(max(1, min(limit.Cur, 1<<20)/descriptorPart)) //nolint:gosec // it is no more than half a million
}

// keptListeners returns how many listening sockets are kept for one proxy at most.
func keptListeners() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return maxListeners
	}
	return int(min(limit.Cur/listenerPart, maxListeners)) //nolint:gosec // it is no more than maxListeners
}
