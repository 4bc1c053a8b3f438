package plan

import (
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// enoughFiles is the limit of open files to which the process raises its own if it may:
// the built-in templates then allow some 32,000 connections.
const enoughFiles = 65536

// openFiles returns how many files each process of HAProxy may open, 0 if unknown.
// HAProxy raises its soft limit to the hard one itself, and the supervisor raises the
// hard one if it may.
func openFiles() uint64 {
	hard, raisable, err := FileLimit(enoughFiles)
	switch {
	case err != nil:
		return 0
	case raisable:
		return max(hard, enoughFiles)
	}
	return hard
}

// fewConnections is the maxconn of the built-in template below which the operator is
// warned: the usual limits allow more.
const fewConnections = 1000

// FittedMaxConn returns the maxconn of the built-in template for the configured slots;
// few is true if the limit of open files makes it small.
func (pl *Plan) FittedMaxConn() (maxconn uint64, few bool) {
	if pl.Template != "" {
		return 0, false
	}
	maxconn = haproxy.FitMaxConn(pl.Frame.Files, haproxy.ReservedFiles(pl.Slots()))
	return maxconn, maxconn < fewConnections
}

// FileLimit returns the hard limit of open files, and whether it can be raised to
// wanted, which it tries and reverts. A sufficient limit counts as raisable.
func FileLimit(wanted uint64) (hard uint64, raisable bool, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false, err
	}
	if limit.Max >= wanted {
		return limit.Max, true, nil
	}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit.Cur, Max: wanted}) != nil {
		return limit.Max, false, nil
	}
	return limit.Max, true, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}
