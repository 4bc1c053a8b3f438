package main

import (
	"errors"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"golang.org/x/sys/unix"
)

const (
	// Of what the cgroup may use, HAProxy takes most, and during a reload twice:
	// this process gets a quarter. With 20,000 servers it takes less than that of
	// what they need together.
	memoryPart = 4
	// Below this there would be nothing but garbage collections.
	memoryLeast = 32 << 20

	// Queries, which anybody may send, get so much of the descriptors that there
	// are: the rest is for HAProxy's sockets, ZooKeeper and files.
	descriptorPart = 2
)

// limitMemory keeps the process to its part of what the cgroup allows: near that
// it collects garbage more often, where the kernel would end it or HAProxy. A
// GOMEMLIMIT of the environment has been heeded already.
func limitMemory(log *slog.Logger, allowed memlimit.Provider) {
	if text := os.Getenv("GOMEMLIMIT"); text != "" {
		log.Info("memory limit is the environment's", "gomemlimit", text)
		return
	}
	limit, err := allowed()
	switch {
	case errors.Is(err, memlimit.ErrNoLimit), errors.Is(err, memlimit.ErrNoCgroup):
		log.Debug("memory is not limited")
	case err != nil:
		log.Warn("cannot tell what memory the cgroup allows, set GOMEMLIMIT where it is little", "error", err)
	default:
		part := max(limit/memoryPart, memoryLeast)
		debug.SetMemoryLimit(int64(part)) //nolint:gosec // a quarter of an uint64 is an int64
		log.Info("memory limit is a part of the cgroup's", "cgroup", limit, "gomemlimit", part)
	}
}

// queryConnections is how many clients of the query API there may be.
func queryConnections(log *slog.Logger) int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		log.Warn("cannot read the limit of open files", "error", err)
		return 0
	}
	return int(max(1, min(limit.Cur, 1<<20)/descriptorPart)) //nolint:gosec // it is no more than half a million
}
