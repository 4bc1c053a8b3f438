package supervisor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// errTorn says that a pid file has not got all that was to be in it: HAProxy does
// not notice that the disk is full.
var errTorn = errors.New("it is empty or breaks off, the disk may be full")

// readPIDs reads the pids that HAProxy wrote, one a line. With errTorn it returns
// what there is, of which the last one may not be whole.
func readPIDs(path string) ([]int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read pid file: %w", err)
	}
	var pids []int
	for word := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil || pid < 2 {
			return nil, fmt.Errorf("read pid file %s: %.40q is no pid", path, word)
		}
		pids = append(pids, pid)
	}
	if !strings.HasSuffix(string(text), "\n") {
		return pids, fmt.Errorf("read pid file %s: %w", path, errTorn)
	}
	return pids, nil
}

// stamp identifies one writing of a file; the zero value is that there is none.
type stamp struct {
	inode    uint64
	modified unix.Timespec
}

// stampOf tells, before and after a launch, whether HAProxy wrote its pid file:
// it removes the file and makes a new one, in which the same pids may stand when
// a container was started again.
func stampOf(path string) stamp {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return stamp{}
	}
	return stamp{stat.Ino, stat.Mtim}
}
