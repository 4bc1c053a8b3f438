package supervisor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// raiseFiles makes the limit of open files, which children inherit, at least
// wanted. HAProxy raises its soft limit to the hard one by itself. It returns a
// warning when the limit stays lower, and an error when it is below needed.
func raiseFiles(wanted, needed uint64) (warning string, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return "", fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Max >= wanted {
		return "", nil
	}
	raised := unix.Rlimit{Cur: limit.Cur, Max: wanted}
	err = unix.Setrlimit(unix.RLIMIT_NOFILE, &raised)
	switch {
	case err == nil:
		return "", nil
	case limit.Max < needed:
		return "", fmt.Errorf("the slots need %d open files, the hard limit is %d and cannot be raised (%w): raise it (ulimit -Hn, LimitNOFILE=, docker run --ulimit nofile=%d)", needed, limit.Max, err, wanted)
	}
	return fmt.Sprintf("maxconn and the slots want %d open files, the hard limit is %d and cannot be raised (%v): HAProxy refuses connections beyond it; raise it or lower maxconn", wanted, limit.Max, err), nil
}
