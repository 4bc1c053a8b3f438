package rig

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const statsTimeout = 5 * time.Second

// Server is one `server` of a backend in one HAProxy process.
type Server struct {
	Backend, Name string
	Addr          string // IP address; 0.0.0.0 for a slot never used
	Port          int
	OpState       int // 0 stopped, 1 starting, 2 running, 3 stopping
	AdminState    int // bits: 1 forced maint, 4 configured maint, 8 forced drain, …
	Weight        int
}

// Serving reports whether the server takes requests. The bit of the configured
// `disabled` stays when a slot is made ready, and is harmless then.
func (s Server) Serving() bool { return (s.OpState == 1 || s.OpState == 2) && s.AdminState&^4 == 0 }

// Endpoint returns the server's `ip:port`.
func (s Server) Endpoint() string { return net.JoinHostPort(s.Addr, strconv.Itoa(s.Port)) }

// Serving returns the endpoints of the backend's servers that take requests, sorted as
// text.
func Serving(servers []Server, backend string) []string {
	var endpoints []string
	for _, s := range servers {
		if s.Backend == backend && s.Serving() {
			endpoints = append(endpoints, s.Endpoint())
		}
	}
	slices.Sort(endpoints)
	return endpoints
}

// Stats sends one line to a stats socket and returns the answer, within 5 s: the socket
// of a dead worker may accept and never answer.
func Stats(socket, command string) (string, error) {
	conn, err := net.DialTimeout("unix", socket, statsTimeout)
	if err != nil {
		return "", fmt.Errorf("ask haproxy: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(statsTimeout)); err != nil {
		return "", fmt.Errorf("ask haproxy: %w", err)
	}
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", fmt.Errorf("ask haproxy: %w", err)
	}
	reply, err := io.ReadAll(conn)
	if err != nil {
		return "", fmt.Errorf("ask haproxy %q: %w", command, err)
	}
	return string(reply), nil
}

// ServersState reads `show servers state` from a stats socket. It has its own parser,
// so that assertions do not depend on the daemon's.
func ServersState(socket string) ([]Server, error) {
	reply, err := Stats(socket, "show servers state")
	if err != nil {
		return nil, err
	}
	return ParseServers(reply)
}

// FindServer returns the server that has an instance, `ip:port`, in a backend of the
// process behind a stats socket.
func FindServer(socket, backend, instance string) (Server, error) {
	servers, err := ServersState(socket)
	if err != nil {
		return Server{}, err
	}
	for _, s := range servers {
		if s.Backend == backend && s.Endpoint() == instance {
			return s, nil
		}
	}
	return Server{}, fmt.Errorf("no server of %s has %s behind %s", backend, instance, socket)
}

// ParseServers parses an answer to `show servers state`: the version line, the header, and
// one line per server.
func ParseServers(text string) ([]Server, error) {
	version, rest, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	header, rest, _ := strings.Cut(rest, "\n")
	if version != "1" || !strings.HasPrefix(header, "# ") {
		return nil, fmt.Errorf("not a servers state: %.80q", text)
	}
	column := make(map[string]int)
	for i, name := range strings.Fields(header)[1:] {
		column[name] = i
	}
	var servers []Server
	for line := range strings.Lines(rest) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		var problem error
		word := func(name string) string {
			i, ok := column[name]
			if !ok || i >= len(fields) {
				problem = fmt.Errorf("servers state: no %s in %q", name, line)
				return ""
			}
			return fields[i]
		}
		number := func(name string) int {
			n, err := strconv.Atoi(word(name))
			if err != nil && problem == nil {
				problem = fmt.Errorf("servers state: %s in %q: %w", name, line, err)
			}
			return n
		}
		servers = append(servers, Server{
			Backend:    word("be_name"),
			Name:       word("srv_name"),
			Addr:       word("srv_addr"),
			Port:       number("srv_port"),
			OpState:    number("srv_op_state"),
			AdminState: number("srv_admin_state"),
			Weight:     number("srv_uweight"),
		})
		if problem != nil {
			return nil, problem
		}
	}
	return servers, nil
}

// Info returns the pid and the number of clients that the worker behind a socket
// reports.
func Info(socket string) (pid, clients int, err error) {
	text, err := Stats(socket, "show info")
	return infoNumber(text, "Pid"), infoNumber(text, "CurrConns"), err
}

// PID returns the pid in an answer to `show info`, alone or among other requests; 0 if
// there is none.
func PID(reply string) int { return infoNumber(reply, "Pid") }

func infoNumber(text, name string) (n int) {
	for line := range strings.Lines(text) {
		_, _ = fmt.Sscanf(line, name+": %d", &n)
	}
	return n
}
