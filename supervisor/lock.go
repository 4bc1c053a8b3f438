package supervisor

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// lock takes path as a lock file, so that two daemons never manage one HAProxy. Closing
// the file, or the end of the process, releases the lock. The file is never removed: a
// third daemon could otherwise lock a new file beside the old one. A file that belongs
// to another user is an error, as its owner could hold the lock forever.
func lock(path string) (*os.File, error) {
	f, err := openOwn(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", ownfile.Explain(path, err))
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is locked: another haproxy-zk drives this proxy; stop it, or give this one another pid_file", path)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}
