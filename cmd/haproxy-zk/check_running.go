package main

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
)

// running is what runs of a proxy already.
type running struct {
	pids   []int // the HAProxy that its pid file names
	locked bool  // by the haproxy-zk that drives it
}

func runningOf(p config.Proxy) running {
	return running{pids: livingHAProxy(p), locked: isLocked(p.PIDFile + ".lock")}
}

// livingHAProxy returns the pids in the pid file whose processes were started
// with this proxy's files: an old pid may be anybody's now.
func livingHAProxy(p config.Proxy) []int {
	text, err := os.ReadFile(p.PIDFile)
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

// isLocked tries a lock that whoever holds the file as its own keeps from it,
// and gives it back at once. It makes no file.
func isLocked(path string) bool {
	f, err := os.Open(path)
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
		f.Text = "a haproxy-zk drives this proxy now: its ports were taken for its own"
	case len(r.pids) > 0:
		f.Text = fmt.Sprintf("an HAProxy runs with these files (%s): its ports were taken for its own, and run takes over from it",
			strings.Trim(fmt.Sprint(r.pids), "[]"))
	default:
		return nil
	}
	return []finding{f}
}
