package hactl

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Backend is what one group's backend is made of, besides its servers.
type Backend struct {
	// Name is the group's; the backend and its ACL are called so.
	Name string
	// ACLs are the conditions, in HAProxy's language without name, any of which
	// sends a request to the backend.
	ACLs []string
	// Mode is http or tcp.
	Mode    string
	Balance string
	// HTTPCheck is the method and path of the health check, such as
	// "GET /probe.jsp"; empty for a TCP check.
	HTTPCheck string
	// Default makes it the frontend's default_backend.
	Default bool
	// ServerClose renders option http-server-close (see [Version.PinsConnections]).
	ServerClose bool
	// WaitCheck keeps a new instance without traffic until its first good check.
	WaitCheck bool
	// LossGuard is how many percent of the instances are too many to lose at once;
	// 0 is all.
	LossGuard int
	// DrainTimeout is how long an instance that leaves keeps its sticky sessions;
	// 0 is not at all.
	DrainTimeout time.Duration
	// ListenerPort gives the backend a frontend of its own; 0 is none.
	ListenerPort uint16
	Servers      ServerTemplate
}

// Frame is what the configuration of one proxy is made of, besides its backends.
type Frame struct {
	Version Version
	// Sockets are the paths of the stats sockets, one a worker.
	Sockets      []string
	PIDFile      string
	ListenerPort uint16
	AdminPort    uint16
}

// Validate tells what keeps the template from being rendered with these
// backends; the error joins everything.
func (t *Template) Validate(f Frame, backends []Backend) error {
	var problems []error
	for _, b := range backends {
		if what := t.Taken(b.Name); what != "" {
			problems = append(problems, fmt.Errorf("the group %q has the name of a %s of the template: rename one of them", b.Name, what))
		}
	}
	if f.Version.Nbproc() && len(f.Sockets) > 1 && !t.hasKeyword("nbproc") {
		problems = append(problems, fmt.Errorf("%d socket files ask for %d processes: add the line `nbproc $nbproc` to the section global", len(f.Sockets), len(f.Sockets)))
	}
	return errors.Join(problems...)
}

// Render returns the configuration of HAProxy with every occupied slot as a
// `server` line, so that a new worker serves at once, and every run of free
// ones as a disabled `server-template`. A slot that is down is rendered free, as
// HAProxy takes a server for alive until its first failed check, and one that an
// operator took out of service disabled. One that leaves is rendered as if it
// stayed, for the sake of its sticky sessions.
// tables are those of backends, in their order.
//
// Lines that the given version would refuse are left out or replaced: from 2.5
// on `nbproc` becomes `nbthread`. Two lines are left out always: `quiet`, which
// hides why HAProxy does not start, and `pidfile`, which is given on the command
// line and would only be complained about.
func (t *Template) Render(f Frame, backends []Backend, tables []*Table) []byte {
	var out bytes.Buffer
	values := map[string]string{
		"nbproc":        strconv.Itoa(len(f.Sockets)),
		"pid_file":      f.PIDFile,
		"listener_port": strconv.Itoa(int(f.ListenerPort)),
		"admin_port":    strconv.Itoa(int(f.AdminPort)),
	}
	idleClose := t.idleClose || !f.Version.idleClose()
	for _, l := range t.lines {
		switch {
		case l.section == "global" && (l.keyword == "quiet" || l.keyword == "pidfile"):
			continue
		case l.section == "global" && l.keyword == "nbproc" && !f.Version.Nbproc():
			if len(f.Sockets) > 1 {
				fmt.Fprintf(&out, "    nbthread %d\n", len(f.Sockets))
			}
			continue
		case l.keyword == "" || l.block == "":
			text := l.text
			if l.keyword != "" {
				text = expand(text, values)
			}
			out.WriteString(text + "\n")
			continue
		}
		if !idleClose && (l.section == "frontend" || l.section == "listen") && !l.tcp {
			out.WriteString("    option idle-close-on-response\n")
			idleClose = true
		}
		switch l.block {
		case "sockets":
			if !t.statsMaxconn {
				// HAProxy's ten are soon held by others: a worker would seem to hang.
				out.WriteString("    stats maxconn 100\n")
			}
			renderSockets(&out, f)
			if f.Version.strictLimits() && !t.strictLimits {
				// As HAProxy was before 2.3, and the seed's users know it: a
				// maxconn beyond the limit of open files is a warning.
				out.WriteString("    no strict-limits\n")
			}
		case "acl":
			for _, b := range backends {
				for _, acl := range b.ACLs {
					fmt.Fprintf(&out, "    acl %s %s\n", b.Name, acl)
				}
			}
		case "use_backend":
			for _, b := range backends {
				if len(b.ACLs) > 0 {
					fmt.Fprintf(&out, "    use_backend %s if %s\n", b.Name, b.Name)
				}
			}
		case "default_backend":
			for _, b := range backends {
				if b.Default {
					fmt.Fprintf(&out, "    default_backend %s\n", b.Name)
				}
			}
		case "backend":
			for i, b := range backends {
				if i > 0 {
					out.WriteByte('\n')
				}
				b.render(&out, tables[i])
			}
		}
	}
	return out.Bytes()
}

func renderSockets(out *bytes.Buffer, f Frame) {
	for i, path := range f.Sockets {
		fmt.Fprintf(out, "    stats socket %s mode 600 level admin expose-fd listeners", path)
		if f.Version.Nbproc() && len(f.Sockets) > 1 {
			fmt.Fprintf(out, " process %d", i+1)
		}
		out.WriteByte('\n')
	}
}

func (b Backend) render(out *bytes.Buffer, table *Table) {
	if b.ListenerPort != 0 {
		fmt.Fprintf(out, "frontend %s.listener\n    bind *:%d\n    mode %s\n    default_backend %s\n\n", b.Name, b.ListenerPort, b.Mode, b.Name)
	}
	fmt.Fprintf(out, "backend %s\n    mode %s\n    balance %s\n", b.Name, b.Mode, b.Balance)
	if b.HTTPCheck != "" {
		fmt.Fprintf(out, "    option httpchk %s\n", b.HTTPCheck)
	}
	if b.ServerClose && b.Mode == "http" {
		out.WriteString("    option http-server-close\n")
	}
	params := strings.Join(b.Servers.Params, " ")
	if params != "" {
		params = " " + params
	}
	for i := 0; i < len(table.Slots); i++ {
		if s := table.Slots[i]; s.written() {
			disabled := ""
			if !s.serves() {
				disabled = " disabled"
			}
			fmt.Fprintf(out, "    server %s %s%s%s\n", b.Servers.name(i), s.Addr, params, disabled)
			continue
		}
		from := i
		for i+1 < len(table.Slots) && !table.Slots[i+1].written() {
			i++
		}
		// A single slot is written A-A as well: `server-template web 9` means 1-9.
		fmt.Fprintf(out, "    server-template %s %d-%d %s%s disabled\n", b.Servers.Prefix, b.Servers.First+from, b.Servers.First+i, b.Servers.Free, params)
	}
}

// Files is how many descriptors one process of a rendered configuration wants,
// and how many it cannot do without. It needs one a checked server and a reserve;
// it wants two a connection of the global maxconn besides.
func Files(config []byte, tables []*Table) (wanted, needed uint64) {
	section, maxconn := "", uint64(0)
	for line := range strings.Lines(string(config)) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "global", "defaults", "frontend", "backend", "listen":
			section = words[0]
		case "maxconn":
			if section != "global" || len(words) != 2 {
				continue
			}
			if n, err := strconv.ParseUint(words[1], 10, 32); err == nil {
				maxconn = n
			}
		}
	}
	needed = 500
	for _, t := range tables {
		needed += uint64(len(t.Slots))
	}
	return 2*maxconn + needed, needed
}
