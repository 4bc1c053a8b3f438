package rig

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc.
const tick = time.Second / 100

// Used returns the CPU time that a process has used, of which /proc counts hundredths of
// a second, and its resident memory in bytes.
func Used(pid int) (cpu time.Duration, memory int, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// After `pid (comm)`, where comm may contain spaces and parentheses.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const utime, stime, rss = 11, 12, 21
	if len(fields) <= rss {
		return 0, 0, fmt.Errorf("/proc/%d/stat: %q", pid, stat)
	}
	var numbers [3]int
	for i, at := range [...]int{utime, stime, rss} {
		if numbers[i], err = strconv.Atoi(fields[at]); err != nil {
			return 0, 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
	}
	return time.Duration(numbers[0]+numbers[1]) * tick, numbers[2] * os.Getpagesize(), nil
}
