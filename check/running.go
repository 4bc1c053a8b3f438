package check

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// opener opens files of a haproxy-zk of any user that this process may read.
func opener() ownfile.Opener { return ownfile.Opener{RootReads: true} }

// running is what is already running of a proxy.
type running struct {
	pids   []int // of the HAProxy in its pid file
	locked bool  // by the haproxy-zk that manages it
}

func runningOf(p config.Proxy) running {
	return running{pids: livingHAProxy(p), locked: isLocked(p.PIDFile + ".lock")}
}

// maxHAProxyPIDs is enough for a thousand workers.
const maxHAProxyPIDs = 16 << 10

// livingHAProxy returns the pids in the pid file whose processes were started with this
// proxy's files: pids are reused.
func livingHAProxy(p config.Proxy) []int {
	text, err := opener().Read(p.PIDFile, maxHAProxyPIDs)
	if err != nil {
		return nil
	}
	var living []int
	for word := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil || pid < 2 {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err != nil {
			continue
		}
		if args := strings.Split(string(cmdline), "\x00"); slices.Contains(args, p.ConfFile) || slices.Contains(args, p.PIDFile) {
			living = append(living, pid)
		}
	}
	return living
}

// isLocked reports whether another process holds the lock of a file, by trying to take
// it and releasing it at once. It creates no file.
func isLocked(path string) bool {
	f, err := opener().Open(path, os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

func (r running) note(p config.Proxy) []finding {
	f := finding{Proxy: p.Name, Severity: isNote, Where: p.Name + ".pid_file"}
	switch {
	case r.locked:
		f.Text = "a haproxy-zk is already running this proxy; ports in use are assumed to be its own"
	case len(r.pids) > 0:
		f.Text = fmt.Sprintf("an HAProxy is already running with these files (%s); ports in use are assumed to be its own, and run takes over from it",
			strings.Trim(fmt.Sprint(r.pids), "[]"))
	default:
		return nil
	}
	return []finding{f}
}
