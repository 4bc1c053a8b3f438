package rig

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process is a process as /proc shows it.
type Process struct {
	PID, PPID int
	State     string   // one letter of proc_pid_stat(5): R, S, Z, …
	Args      []string // empty for a zombie
}

// Zombie reports whether the process has ended but has not been waited for.
func (p Process) Zombie() bool { return p.State == "Z" }

func (p Process) String() string {
	return fmt.Sprintf("%d(%s) %s", p.PID, p.State, strings.Join(p.Args, " "))
}

// names reports whether an argument names the directory dir or something in it.
func (p Process) names(dir string) bool {
	for _, arg := range p.Args {
		if strings.Contains(arg+"/", dir+"/") {
			return true
		}
	}
	return false
}

func processes() ([]Process, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	all := make([]Process, 0, len(dirs))
	for _, dir := range dirs {
		// A process that ends in the meantime is omitted.
		if p, err := readProcess(dir); err == nil {
			all = append(all, p)
		}
	}
	return all, nil
}

func readProcess(dir string) (Process, error) {
	pid, err := strconv.Atoi(filepath.Base(dir))
	if err != nil {
		return Process{}, err
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Process{}, err
	}
	// `pid (comm) state ppid …`, where comm may contain spaces and parentheses.
	p := Process{PID: pid}
	if _, err := fmt.Sscan(string(stat[bytes.LastIndexByte(stat, ')')+1:]), &p.State, &p.PPID); err != nil {
		return Process{}, err
	}
	cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return Process{}, err
	}
	if line := strings.TrimRight(string(cmdline), "\x00"); line != "" {
		p.Args = strings.Split(line, "\x00")
	}
	return p, nil
}

// descendants returns the processes below root, parents before their children.
func descendants(all []Process, root int) []Process {
	var found []Process
	for parents := []int{root}; len(parents) > 0; parents = parents[1:] {
		for _, p := range all {
			if p.PPID == parents[0] {
				found = append(found, p)
				parents = append(parents, p.PID)
			}
		}
	}
	return found
}
