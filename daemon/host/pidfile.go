package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// A pid file holds one number. A second file has the start time of the process, so
// that a later process with the same pid is not mistaken for it:
//
//	FILE        4711
//	FILE.start  4711 start=8271828
//
// Earlier versions wrote start=… into the pid file itself, which is still read.

const maxPIDFile = 4 << 10

// startSuffix is the suffix of the second file.
const startSuffix = ".start"

// readPIDFile returns the process that the files name, the zero process if the pid file
// is missing or empty. It does not check whether the process is alive.
func readPIDFile(path string) (process, error) {
	p, err := readProcess(path)
	if err != nil || p.pid == 0 || p.started != "" {
		return p, err
	}
	// One that is unreadable, or of another process, is ignored.
	if full, err := readProcess(path + startSuffix); err == nil && full.pid == p.pid {
		return full, nil
	}
	return p, nil
}

// readProcess reads one of the two files.
func readProcess(path string) (process, error) {
	text, err := hostFiles().Read(path, maxPIDFile)
	if errors.Is(err, fs.ErrNotExist) {
		return process{}, nil
	}
	if err != nil {
		return process{}, fmt.Errorf("read the pid file: %w: remove it, or name another with --pid-file", err)
	}
	words := strings.Fields(string(text))
	if len(words) == 0 {
		return process{}, nil
	}
	pid, err := strconv.Atoi(words[0])
	if err != nil || pid < 1 || len(words) > 2 {
		return process{}, fmt.Errorf("%s is not a pid file: remove it, or name another with --pid-file", path)
	}
	p := process{pid: pid}
	if len(words) == 2 {
		started, ours := strings.CutPrefix(words[1], "start=")
		if !ours {
			return process{}, fmt.Errorf("%s is not a pid file of haproxy-zk: remove it, or name another with --pid-file", path)
		}
		p.started = started
	}
	return p, nil
}

// WritePIDFile writes the pid file of this process. It returns an error if the file
// names another running haproxy-zk or is not a pid file. The returned function removes
// the file if it still names this process.
func WritePIDFile(path string) (remove func(), err error) {
	named, err := readPIDFile(path)
	if err != nil {
		return nil, err
	}
	self, lives := inspect(os.Getpid())
	if !lives {
		return nil, errors.New("write the pid file: /proc has no start time of this process; mount /proc")
	}
	switch now, err := named.now(); {
	case err != nil:
		return nil, fmt.Errorf("pid file %s: %w", path, err)
	case now.pid > 0 && now != self:
		return nil, fmt.Errorf("pid file %s: process [%d] is running already", path, now.pid)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("write the pid file: %w", err)
	}
	// In this order: a reader that finds the pid file finds the other one too.
	err = ownfile.ReplaceReadable(path+startSuffix, fmt.Appendf(nil, "%d start=%s\n", self.pid, self.started))
	if err == nil {
		err = ownfile.ReplaceReadable(path, fmt.Appendln(nil, self.pid))
	}
	if err != nil {
		return nil, fmt.Errorf("write the pid file: %w", err)
	}
	return func() {
		if named, err := readPIDFile(path); err == nil && named == self {
			removePIDFile(path)
		}
	}, nil
}

// removePIDFile removes both files; leftovers are harmless.
func removePIDFile(path string) {
	_ = os.Remove(path)
	_ = os.Remove(path + startSuffix)
}
