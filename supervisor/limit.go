package supervisor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// raiseFiles makes the limit of open files, which children inherit, at least
// need. HAProxy raises its soft limit to the hard one by itself.
func raiseFiles(need uint64) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Max >= need {
		return nil
	}
	raised := unix.Rlimit{Cur: limit.Cur, Max: need}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
		return fmt.Errorf("raise the hard limit of open files from %d to %d, which maxconn and the slots need: %w", limit.Max, need, err)
	}
	return nil
}
