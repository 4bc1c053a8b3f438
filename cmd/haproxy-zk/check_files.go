package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/config"
)

// checkFiles looks where a proxy's files would be written.
func checkFiles(p config.Proxy) []finding {
	var found []finding
	var seen []string
	look := func(key, path string) {
		key = p.Name + "." + key
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			found = append(found, finding{
				Proxy: p.Name, Severity: isError, Where: key,
				Text: path + " is a folder", Remedy: "name a file in it",
			})
		}
		if dir := filepath.Dir(path); !slices.Contains(seen, dir) {
			seen = append(seen, dir)
			found = append(found, checkFolder(p.Name, key, dir)...)
		}
	}
	look("conf_file", p.ConfFile)
	look("pid_file", p.PIDFile)
	for i, path := range p.SocketFiles {
		look("socket_files["+strconv.Itoa(i)+"]", path)
	}
	return found
}

// checkFolder finds out whether files can be made in dir, or dir itself where
// it is missing. What it makes to find out is gone when it returns.
func checkFolder(proxy, where, dir string) []finding {
	err := tryFolder(dir)
	if err == nil {
		return nil
	}
	return []finding{{
		Proxy: proxy, Severity: isError, Where: where,
		Text:   fmt.Sprintf("nothing can be written to the folder %s: %v", dir, err),
		Remedy: "let the user that haproxy-zk runs as write there, or name another place",
	}}
}

func tryFolder(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		parent := dir
		for errors.Is(err, fs.ErrNotExist) && parent != filepath.Dir(parent) {
			parent = filepath.Dir(parent)
			_, err = os.Stat(parent)
		}
		if err != nil {
			return err
		}
		made, err := os.MkdirTemp(parent, ".haproxy-zk-check-")
		if err != nil {
			return err
		}
		return os.Remove(made)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "open", Path: dir, Err: unix.ENOTDIR}
	}
	f, err := os.CreateTemp(dir, ".haproxy-zk-check-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// checkLimit judges the limit of open files.
func checkLimit(p config.Proxy, wanted, needed uint64) []finding {
	limit, raisable, err := fileLimit(wanted)
	if err != nil {
		return []finding{{Proxy: p.Name, Severity: isError, Where: p.Name, Text: fmt.Sprintf("read the limit of open files: %v", err)}}
	}
	return judgeLimit(p, wanted, needed, limit, raisable)
}

// fileLimit returns the hard limit of open files, and whether it can be raised
// to wanted, which is undone again.
func fileLimit(wanted uint64) (hard uint64, raisable bool, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false, err
	}
	if limit.Max >= wanted {
		return limit.Max, true, nil
	}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit.Cur, Max: wanted}) != nil {
		return limit.Max, false, nil
	}
	return limit.Max, true, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// judgeLimit decides as the supervisor does when it starts HAProxy.
func judgeLimit(p config.Proxy, wanted, needed, hard uint64, raisable bool) []finding {
	if hard >= wanted || raisable {
		return nil
	}
	f := finding{
		Proxy: p.Name, Severity: isWarning, Where: p.Name,
		Text:   fmt.Sprintf("maxconn and the slots want %d open files, the hard limit is %d: HAProxy refuses connections beyond it", wanted, hard),
		Remedy: fmt.Sprintf("raise it (ulimit -Hn, LimitNOFILE=, docker run --ulimit nofile=%d), or lower maxconn", wanted),
	}
	if hard < needed {
		f.Severity = isError
		f.Text = fmt.Sprintf("the slots need %d open files, the hard limit is %d", needed, hard)
	}
	return []finding{f}
}
