// Command hog fills the memory of a container until the kernel has ended its
// haproxy-zk daemon, then gives the memory back. It fills a tmpfs, whose pages
// belong to no process that could be ended for them.
//
// What the daemon frees can be filled before hog sees that it has ended. The
// kernel's next victim is then hog: its file has no name, and its pages go with
// it.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	file  = "/dev/shm/hog"
	chunk = 256 << 10
	// score places hog between HAProxy's workers and the daemon, 500 above them.
	score = "250"
	// pace leaves the kernel the time to end a process before the next chunk: what
	// that one frees is not to be filled as well.
	pace = 4 * time.Millisecond
)

func main() {
	if err := fill(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fill() error {
	pid, err := daemon()
	if err != nil {
		return err
	}
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(score), 0); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Remove(file); err != nil {
		return err
	}
	zeros := make([]byte, chunk)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for lives(pid) {
		if _, err := f.Write(zeros); err != nil {
			return err
		}
		<-tick.C
	}
	return nil
}

// lives reports whether a process has not ended; zombies have.
func lives(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	// `pid (comm) state …` of proc_pid_stat(5).
	state := strings.TrimSpace(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	return state[0] != 'Z' && state[0] != 'X'
}

// daemon returns the pid of haproxy-zk other than process 1.
func daemon() (int, error) {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, err
	}
	for _, path := range names {
		name, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(name)) != "haproxy-zk" {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && pid != 1 {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("no daemon among %d processes", len(names))
}
