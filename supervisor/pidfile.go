package supervisor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// errIncomplete means that a pid file is truncated: HAProxy does not notice that the
// disk is full.
var errIncomplete = errors.New("it is empty or truncated; check for a full disk")

// maxPIDFile has room for a thousand workers.
const maxPIDFile = 16 << 10

// readPIDs reads the pids that HAProxy wrote, one per line. With errIncomplete it
// returns those present, of which the last one may be truncated.
func readPIDs(path string) ([]int, error) {
	text, err := readOwn(path, maxPIDFile)
	if err != nil {
		return nil, fmt.Errorf("read pid file: %w", err)
	}
	var pids []int
	for word := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil || pid < 2 {
			return nil, fmt.Errorf("read pid file %s: %.40q is not a pid", path, word)
		}
		pids = append(pids, pid)
	}
	if !strings.HasSuffix(string(text), "\n") {
		return pids, fmt.Errorf("read pid file %s: %w", path, errIncomplete)
	}
	return pids, nil
}

// stamp identifies one version of a file; the zero value means that there is no file.
type stamp struct {
	inode    uint64
	modified unix.Timespec
}

// stampOf shows, called before and after a launch, whether HAProxy wrote its pid file.
// HAProxy removes the file and creates a new one. The pids in it may be the same as
// before when a container was restarted.
func stampOf(path string) stamp {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return stamp{}
	}
	return stamp{stat.Ino, stat.Mtim}
}
