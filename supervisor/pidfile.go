package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// readPIDs reads the pids that HAProxy wrote, one a line.
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
	return pids, nil
}

// asideSuffix names a file that is to replace another.
const asideSuffix = ".new"

// writeFile replaces path so that a reader sees the old or the new content.
func writeFile(path string, content []byte) error {
	aside := path + asideSuffix
	if err := os.WriteFile(aside, content, 0o600); err != nil {
		return err
	}
	return os.Rename(aside, path)
}

// restoreFile gives path back what it had; nil is that there was none.
func restoreFile(path string, content []byte) error {
	if content == nil {
		return remove(path)
	}
	return writeFile(path, content)
}

// saved is the content of path, nil when there is none.
func saved(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content, err
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
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
