package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A pid file has two lines. The second one keeps the first from being taken for
// a later process of that pid, and is no number lest `kill $(cat FILE)` takes it
// for one:
//
//	4711
//	start=8271828

// readPIDFile returns what the file says, a zero process when it is not there
// or empty. It does not look whether the process lives.
func readPIDFile(path string) (process, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return process{}, nil
	}
	if err != nil {
		return process{}, fmt.Errorf("read the pid file: %w", err)
	}
	words := strings.Fields(string(text))
	if len(words) == 0 {
		return process{}, nil
	}
	pid, err := strconv.Atoi(words[0])
	if err != nil || pid < 1 || len(words) > 2 {
		return process{}, fmt.Errorf("%s is no pid file: remove it, or name another with --pid-file", path)
	}
	p := process{pid: pid}
	if len(words) == 2 {
		started, ours := strings.CutPrefix(words[1], "start=")
		if !ours {
			return process{}, fmt.Errorf("%s is no pid file of haproxy-zk: remove it, or name another with --pid-file", path)
		}
		p.started = started
	}
	return p, nil
}

// writePIDFile writes the pid file of this process. One that names another
// haproxy-zk that runs, or what is no pid file, stays and is an error. The
// returned function removes the file if it still names this process.
func writePIDFile(path string) (remove func(), err error) {
	named, err := readPIDFile(path)
	if err != nil {
		return nil, err
	}
	self, lives := inspect(os.Getpid())
	if !lives {
		return nil, errors.New("write the pid file: /proc does not tell when this process was started")
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
	if err := replaceFile(path, fmt.Sprintf("%d\nstart=%s\n", self.pid, self.started)); err != nil {
		return nil, fmt.Errorf("write the pid file: %w", err)
	}
	return func() {
		if named, err := readPIDFile(path); err == nil && named == self {
			_ = os.Remove(path)
		}
	}, nil
}

// replaceFile writes a file aside and renames it, so that nobody reads half of it.
func replaceFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
