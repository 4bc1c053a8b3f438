package supervisor

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A daemon reports to process 1 through a pipe, in lines:
//
//	hears        signals are handled from now on
//	grace 8s     how long a stop may take: the longest stop_delay and stop_grace of its proxies
const (
	reportsFD = 3
	// maxReport bounds a line of a report.
	maxReport = 64

	hearsReport = "hears"
	graceReport = "grace "
)

// Parent is the process 1 that started this daemon ([ProcessOne]). Its methods do
// nothing on nil, which is a daemon without one. They do not block: the pipe holds more
// than is ever written before it is read.
type Parent struct{ reports *os.File }

// FindParent returns the process 1 that started this process, or nil if another process
// did. Call it once, before any child is started.
func FindParent() *Parent {
	var stat unix.Stat_t
	if os.Getppid() != 1 || unix.Fstat(reportsFD, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil
	}
	// A different program running as process 1 may have left a pipe open.
	first, err := os.Stat("/proc/1/exe")
	self, failed := os.Stat("/proc/self/exe")
	if err != nil || failed != nil || !os.SameFile(first, self) {
		return nil
	}
	// Otherwise comm would be the name of the link that was executed.
	_ = os.WriteFile("/proc/self/comm", []byte("haproxy-zk"), 0)
	_ = unix.SetNonblock(reportsFD, true)
	return &Parent{os.NewFile(reportsFD, "reports to process 1")}
}

// Hears reports that signals are handled from now on.
func (p *Parent) Hears() { p.report(hearsReport) }

// Grace reports how long a stop may take if process 1 has to do it.
func (p *Parent) Grace(grace time.Duration) { p.report(graceReport + grace.String()) }

func (p *Parent) report(line string) {
	if p != nil {
		_, _ = fmt.Fprintln(p.reports, line) // process 1 lives as long as this one
	}
}

// readReports reads a daemon's reports until it has ended.
func readReports(r io.Reader, hears func(), grace func(time.Duration)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxReport), maxReport)
	for lines.Scan() {
		text, isGrace := strings.CutPrefix(lines.Text(), graceReport)
		switch {
		case lines.Text() == hearsReport:
			hears()
		case isGrace:
			if d, err := time.ParseDuration(text); err == nil && d >= 0 {
				grace(d)
			}
		}
	}
}
