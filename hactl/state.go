package hactl

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Admin is a server's administrative state.
type Admin string

// The states that `set server … state` knows.
const (
	Ready Admin = "ready"
	Drain Admin = "drain"
	Maint Admin = "maint"
)

// Bits of srv_admin_state. Config maintenance (4) stays set on a slot that was
// configured disabled, also after it was made ready: alone it means nothing.
const (
	adminForcedMaint    = 1
	adminInheritedMaint = 2
	adminForcedDrain    = 8
	adminInheritedDrain = 16
)

// Weight is what a server's weight was set to, 1 to 256; 0 is that of the
// configuration.
type Weight int16

// NoWeight is a weight of zero. On a server that is out of service it is our
// mark: HAProxy itself does not tell who took it out.
const NoWeight Weight = -1

// maxWeight is HAProxy's.
const maxWeight Weight = 256

// String is the weight as `set server … weight` takes it. The percentages are
// taken by every way to balance, where numbers are not.
func (w Weight) String() string {
	switch w {
	case 0:
		return "100%"
	case NoWeight:
		return "0%"
	}
	return strconv.Itoa(int(w))
}

// parseWeight understands srv_uweight and srv_iweight.
func parseWeight(now, initial string) (Weight, error) {
	switch now {
	case initial:
		return 0, nil
	case "0":
		return NoWeight, nil
	}
	n, err := strconv.ParseInt(now, 10, 16)
	return Weight(n), err
}

// Server is what one worker says of one server, or is believed to have.
type Server struct {
	Addr  netip.AddrPort // invalid when it is a host name's, or the port is 0
	Admin Admin
	// Weight is what its weight was set to.
	Weight Weight
	// Down is true when the health check found it dead.
	Down bool
}

// ServersState is the answer to `show servers state`: backend, then server.
type ServersState map[string]map[string]Server

// ParseServersState reads `show servers state` of format 1. Columns are found
// by the header's names: HAProxy 2.6 appends some, later ones may insert.
func ParseServersState(text string) (ServersState, error) {
	version, rest, _ := strings.Cut(text, "\n")
	if version != "1" {
		return nil, fmt.Errorf("show servers state: %.80q is not format 1", version)
	}
	header, rest, _ := strings.Cut(rest, "\n")
	col, err := columns(strings.Fields(strings.TrimPrefix(header, "#")), "be_name", "srv_name", "srv_addr", "srv_op_state", "srv_admin_state", "srv_port", "srv_uweight", "srv_iweight")
	if err != nil {
		return nil, fmt.Errorf("show servers state: %w", err)
	}
	state := make(ServersState)
	for line := range strings.Lines(rest) {
		fields := strings.Fields(line)
		if len(fields) <= slices.Max(col) {
			return nil, fmt.Errorf("show servers state: %.200q has %d columns", line, len(fields))
		}
		op, err1 := strconv.Atoi(fields[col[3]])
		admin, err2 := strconv.Atoi(fields[col[4]])
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("show servers state: %.200q has no state", line)
		}
		weight, err3 := parseWeight(fields[col[6]], fields[col[7]])
		if err3 != nil || weight < NoWeight || weight > maxWeight {
			return nil, fmt.Errorf("show servers state: %.200q has no weight", line)
		}
		s := Server{Admin: Ready, Down: op == 0, Weight: weight}
		switch {
		case admin&(adminForcedMaint|adminInheritedMaint) != 0:
			s.Admin = Maint
		case admin&(adminForcedDrain|adminInheritedDrain) != 0:
			s.Admin = Drain
		}
		ip, ipErr := netip.ParseAddr(fields[col[2]])
		port, portErr := strconv.ParseUint(fields[col[5]], 10, 16)
		// A zone is never ours, and may hold any characters.
		if ipErr == nil && portErr == nil && port > 0 && ip.Zone() == "" {
			s.Addr = netip.AddrPortFrom(ip, uint16(port))
		}
		backend := fields[col[0]]
		if state[backend] == nil {
			state[backend] = make(map[string]Server)
		}
		state[backend][fields[col[1]]] = s
	}
	return state, nil
}

// columns finds where names stand in a header, in the order of names.
func columns(header []string, names ...string) ([]int, error) {
	at := make([]int, len(names))
	for i, name := range names {
		at[i] = -1
		for j, h := range header {
			if h == name {
				at[i] = j
			}
		}
		if at[i] < 0 {
			return nil, fmt.Errorf("no column %s in %.200q", name, strings.Join(header, " "))
		}
	}
	return at, nil
}

// ParseSessions reads `show stat BACKEND 4 -1` (CSV) and returns how many
// sessions run or wait on each server.
func ParseSessions(text string) (map[string]int, error) {
	header, rest, _ := strings.Cut(text, "\n")
	names := strings.Split(strings.TrimPrefix(header, "# "), ",")
	col, err := columns(names, "svname", "qcur", "scur")
	if err != nil {
		return nil, fmt.Errorf("show stat: %w", err)
	}
	sessions := make(map[string]int)
	for line := range strings.Lines(rest) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), ",")
		if len(fields) <= slices.Max(col) {
			return nil, fmt.Errorf("show stat: %.200q has %d columns", line, len(fields))
		}
		queued, err1 := strconv.Atoi(fields[col[1]])
		running, err2 := strconv.Atoi(fields[col[2]])
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("show stat: %.200q has no session counts", line)
		}
		sessions[fields[col[0]]] = queued + running
	}
	return sessions, nil
}

// ParsePID reads the pid from `show info`.
func ParsePID(text string) (int, error) { return parseInfo(text, "Pid") }

// ParseDroppedLogs reads from `show info` how many lines of its log a process
// could not send since it was started: `DroppedLogs: 12`.
func ParseDroppedLogs(text string) (int, error) { return parseInfo(text, "DroppedLogs") }

// parseInfo reads a number from `show info`, whose lines are `Name: value`.
func parseInfo(text, name string) (int, error) {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, name+": "); found {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				return 0, fmt.Errorf("show info: %s: %w", name, err)
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("show info: %.80q has no line `%s:`", text, name)
}
