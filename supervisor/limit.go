package supervisor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// raiseFiles raises the hard limit of open files, which children inherit, to at least
// wanted. HAProxy raises its own soft limit. It returns a warning if the limit stays
// lower, and an error if it is below needed.
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
		return "", fmt.Errorf("the occupied slots need %d open files, the hard limit is %d and cannot be raised (%w); %s", needed, limit.Max, err, MoreFiles(wanted))
	}
	return fmt.Sprintf("%s; it cannot be raised (%v): %s", FewFiles(wanted, limit.Max), err, FewFilesRemedy(wanted)), nil
}

// FewFiles describes a hard limit of open files below what a proxy may need.
func FewFiles(wanted, hard uint64) string {
	return fmt.Sprintf("maxconn and all slots need %d open files, the hard limit is %d: HAProxy will refuse connections beyond it", wanted, hard)
}

// FewFilesRemedy is what to do about [FewFiles].
func FewFilesRemedy(wanted uint64) string {
	return MoreFiles(wanted) + ", or lower maxconn or max_server"
}

// MoreFiles is how to raise the hard limit of open files.
func MoreFiles(wanted uint64) string {
	return fmt.Sprintf("raise it with ulimit -Hn, LimitNOFILE= or docker run --ulimit nofile=%d", wanted)
}
