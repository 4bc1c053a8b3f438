package haproxy

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
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
	adminInheritedMaint = 2 // of a tracked server
	adminForcedDrain    = 8
)

// Values of srv_op_state; 2 is running, 3 stopping.
const (
	operationStopped  = 0
	operationStarting = 1
)

// Weight is the weight to which a server was set, 1 to 256; 0 is the configured one.
type Weight int16

// NoWeight is a weight of zero. On a server that is out of service it is haproxy-zk's
// mark: HAProxy does not record who took it out.
const NoWeight Weight = -1

// maxWeight is HAProxy's maximum.
const maxWeight Weight = 256

// String returns the argument of `set server … weight`. Percentages are accepted with
// every balance algorithm, numbers are not.
func (w Weight) String() string {
	switch w {
	case 0:
		return "100%"
	case NoWeight:
		return "0%"
	}
	return strconv.Itoa(int(w))
}

// parseWeight parses srv_uweight and srv_iweight.
func parseWeight(now, initial []byte) (Weight, error) {
	switch {
	case bytes.Equal(now, initial):
		return 0, nil
	case string(now) == "0":
		return NoWeight, nil
	}
	n, err := strconv.ParseInt(string(now), 10, 16)
	return Weight(n), err
}

// Agent is the state of a server's agent check.
type Agent uint8

// The states of an agent check.
const (
	NoAgent Agent = iota // not configured
	AgentOn
	AgentOff // configured but disabled
)

// Bits of srv_agent_state, the same from HAProxy 2.0 to 3.4.
const (
	agentConfigured = 2
	agentEnabled    = 4
)

// Off returns the state of the same agent check when disabled.
func (a Agent) Off() Agent {
	if a == AgentOn {
		return AgentOff
	}
	return a
}

func parseAgent(state int) Agent {
	switch {
	case state&agentConfigured == 0:
		return NoAgent
	case state&agentEnabled == 0:
		return AgentOff
	}
	return AgentOn
}

// Server is the state of one server in one worker, as reported or assumed.
type Server struct {
	Addr netip.AddrPort // invalid if the server has a host name or port 0
	// Admin is the state set on the server itself; a tracked server's state shows only in
	// Down.
	Admin Admin
	// Weight is the weight to which it was set.
	Weight Weight
	// Agent is the state of its agent check.
	Agent Agent
	// Down is true if the health check, the agent check or a tracked server takes it out of
	// service.
	Down bool
	// Absent is true if the worker has no such server; everything else is zero then.
	Absent bool
	// Starting is true while `slowstart` keeps it from its full share of the requests.
	Starting bool
}

// ServersState is the reply to `show servers state`: by backend, then server.
type ServersState map[string]map[string]Server

// ParseServersState parses a reply to `show servers state`.
func ParseServersState(text string) (ServersState, error) {
	state := make(ServersState)
	var backend string
	var servers map[string]Server
	lines := NewServerLines(func(l *ServerLine) error {
		s, err := l.Server(Server{})
		if err != nil {
			return err
		}
		if string(l.Backend()) != backend || servers == nil {
			backend = string(l.Backend())
			if servers = state[backend]; servers == nil {
				servers = make(map[string]Server)
				state[backend] = servers
			}
		}
		servers[string(l.Name())] = s
		return nil
	})
	for line := range strings.Lines(text) {
		if err := lines.Take([]byte(line)); err != nil {
			return nil, err
		}
	}
	return state, lines.Complete()
}

// columns returns the positions of names in a header.
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

// ParsePID parses the pid in `show info`.
func ParsePID(text string) (int, error) { return parseInfo(text, "Pid") }

// ShowInfo is the request for what a process reports of itself.
const ShowInfo = "show info"

// ParseUptime parses from `show info` for how long the process has run, rounded up to whole
// seconds: `Uptime_sec: 12`.
func ParseUptime(text string) (time.Duration, error) {
	seconds, err := parseInfo(text, "Uptime_sec")
	if err == nil && (seconds < 0 || seconds > math.MaxInt32) {
		err = fmt.Errorf("show info: an uptime of %d s", seconds)
	}
	if err != nil {
		return 0, err
	}
	return time.Duration(seconds+1) * time.Second, nil
}

// ParseDroppedLogs parses from `show info` the number of log lines that a process could
// not send since its start: `DroppedLogs: 12`.
func ParseDroppedLogs(text string) (int, error) { return parseInfo(text, "DroppedLogs") }

// runningVersion is a full version, as HAProxy's builders write it: 2.6.12-1+deb12u4.
var runningVersion = regexp.MustCompile(`^[0-9]{1,4}\.[0-9]{1,4}[0-9A-Za-z.+~_-]{0,64}$`)

// ParseRunningVersion parses the version in `show info`: that of the process that
// answers, whatever the executable is now. It has at most 73 bytes.
func ParseRunningVersion(text string) (string, error) {
	value, err := infoField(text, "Version")
	if err == nil && !runningVersion.MatchString(value) {
		err = fmt.Errorf("show info: %.80q is not a version", value)
	}
	if err != nil {
		return "", err
	}
	return value, nil
}

// parseInfo parses a number in `show info`.
func parseInfo(text, name string) (int, error) {
	value, err := infoField(text, name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("show info: %s: %w", name, err)
	}
	return n, nil
}

// infoField returns a value in `show info`, whose lines are `Name: value`.
func infoField(text, name string) (string, error) {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, name+": "); found {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("show info: %.80q has no line `%s:`", text, name)
}
