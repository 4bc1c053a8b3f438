package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// A record is a file that lists all processes of a proxy's HAProxy, in addition to the
// pid file. Only haproxy-zk writes it, and only when it starts HAProxy, so a later
// haproxy-zk recognizes the processes whatever they execute and whatever user they run
// as.
//
//	4711 8271828
//	4712 8271830
//
// are pid and start time, one process per line.
const (
	recordMode = 0o600
	maxRecord  = 64 << 10
)

// readRecord returns the processes of a record, none if there is no file.
func readRecord(path string) ([]identity, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readOwn(path, maxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of HAProxy's processes: %w", err)
	}
	var all []identity
	for line := range strings.Lines(string(text)) {
		var id identity
		if _, err := fmt.Sscanf(line, "%d %d\n", &id.pid, &id.started); err != nil || id.pid < 2 {
			return all, fmt.Errorf("read the record of HAProxy's processes: %s: %.40q is not a pid and a start time", path, line)
		}
		all = append(all, id)
	}
	return all, nil
}

// Recorded returns the pids of the processes in a record (Options.Record) still alive.
func Recorded(path string) []int {
	all, _ := readRecord(path) // an unreadable record lists nothing
	var living []int
	for _, id := range all {
		if now, err := identify(id.pid); err == nil && now == id {
			living = append(living, id.pid)
		}
	}
	return living
}

// recordWorkers adds a generation that has just been started to the living processes of
// the record. This happens before the generation is proven: a crash may come any time.
func (h *HAProxy) recordWorkers(next *liveGeneration) {
	if h.Record == "" {
		return
	}
	all, _ := readRecord(h.Record) // an unreadable record is replaced
	all = slices.DeleteFunc(all, func(id identity) bool {
		now, err := identify(id.pid)
		return err != nil || now != id
	})
	for _, w := range next.workers {
		// A child's pid is not reused before it is reaped.
		if id, err := identify(w.pid); err == nil && !w.ended() {
			all = append(all, id)
		}
	}
	var text bytes.Buffer
	for _, id := range all {
		fmt.Fprintln(&text, id.pid, id.started)
	}
	if err := ownfile.Replace(h.Record, text.Bytes(), recordMode); err != nil {
		h.Logger.Warn("cannot record HAProxy's processes; the next start identifies them by user and executable only", "error", err)
	}
}

// ownProcesses returns those of pids that are HAProxy of this proxy. The others are
// left alone and logged once.
func (h *HAProxy) ownProcesses(pids []int) []int {
	recorded, err := readRecord(h.Record)
	if err != nil && len(pids) > 0 {
		h.Logger.Warn("identifying HAProxy's processes by user and executable only", "error", err)
	}
	return slices.DeleteFunc(slices.Clone(pids), func(pid int) bool {
		problem := h.verify(pid, recorded)
		if problem == nil {
			return false
		}
		h.logForeign(pid, problem)
		return true
	})
}

// logForeign logs, once, a process that looks like this proxy's HAProxy but is not.
func (h *HAProxy) logForeign(pid int, problem error) {
	id, err := identify(pid)
	if err != nil || h.reported[id] {
		return // it has ended, or was logged
	}
	if h.reported == nil {
		h.reported = make(map[identity]bool)
	}
	h.reported[id] = true
	h.Logger.Warn("foreign process has the pid or the arguments of this proxy's HAProxy, leaving it alone", "pid", pid, "reason", problem)
}
