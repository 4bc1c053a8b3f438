package haproxy

import (
	"fmt"
	"strconv"
	"strings"
)

// serverConnections is HAProxy's default max-session-srv-conns. A client connection keeps
// one server connection more.
const serverConnections = 5

// keptPipes returns the global maxpipes that makes HAProxy allow as many descriptors as the
// kept server connections of maxconn clients take: it reserves two for each client only,
// and two for each pipe, which are not used otherwise. Without them requests fail as soon
// as some clients have used several servers.
func (t *Template) keptPipes(f Frame) (pipes uint64, obstacle *Trap) {
	if !f.Version.PinsConnections() {
		return 0, nil // the template itself asks for `http-reuse never`
	}
	if splices := t.splices(); splices != nil {
		return 0, splices
	}
	for _, keyword := range []string{"maxpipes", "ulimit-n"} {
		if set := t.Global(keyword); len(set) > 0 {
			return 0, &Trap{Line: set[0].Line, Text: "`" + keyword + "` keeps descriptors from being reserved for the connections of kept clients", Remedy: "remove the line"}
		}
	}
	maxconn, at := t.maxConn(f)
	if maxconn == 0 {
		return 0, &Trap{Line: at, Text: "without a number as `maxconn` no descriptors can be reserved for the connections of kept clients", Remedy: "write `maxconn` and a number into the section global"}
	}
	kept := uint64(serverConnections)
	for _, s := range t.sections {
		for _, l := range s.settings {
			if n, err := strconv.ParseUint(l.Words[len(l.Words)-1], 10, 16); err == nil && l.Words[0] == "max-session-srv-conns" {
				kept = max(kept, n)
			}
		}
	}
	pipes = maxconn * (kept + 1) / 2
	if wanted := 2 * (maxconn + pipes); f.Files > 0 && wanted+fileReserve > f.Files {
		return 0, &Trap{
			Line:   at,
			Text:   fmt.Sprintf("%d kept clients may take %d descriptors, and the limit of open files is %d", maxconn, wanted+fileReserve, f.Files),
			Remedy: "raise the limit, or lower `maxconn`",
		}
	}
	return pipes, nil
}

// maxConn returns the global maxconn, 0 if it is unknown, and its line, or that of the
// section.
func (t *Template) maxConn(f Frame) (n uint64, line int) {
	for _, s := range t.sections {
		if s.keyword == "global" && line == 0 {
			line = s.line
		}
	}
	set := t.Global("maxconn")
	if len(set) == 0 {
		return 0, line
	}
	last := set[len(set)-1]
	if t.autoMaxConn {
		return t.fitMaxConn(f, 0), last.Line
	}
	n, err := strconv.ParseUint(last.Words[len(last.Words)-1], 10, 32)
	if err != nil {
		return 0, last.Line
	}
	return n, last.Line
}

// splices finds an option with which HAProxy uses pipes.
func (t *Template) splices() *Trap {
	for _, s := range t.sections {
		for _, l := range s.settings {
			if len(l.Words) > 1 && l.Words[0] == "option" && strings.HasPrefix(l.Words[1], "splice-") {
				return &Trap{Line: l.Line, Text: "`option " + l.Words[1] + "` takes the descriptors that would be reserved for the connections of kept clients", Remedy: "remove the line"}
			}
		}
	}
	return nil
}

// fitMaxConn returns the maxconn of a built-in template. If the limit of open files is
// high, it leaves descriptors for the connections of kept clients.
func (t *Template) fitMaxConn(f Frame, slots int) uint64 {
	fit := FitMaxConn(f.Files, ReservedFiles(slots))
	if !f.Version.PinsConnections() || f.Files < ReservedFiles(slots) {
		return fit
	}
	if kept := (f.Files - ReservedFiles(slots)) / (serverConnections + 3); kept >= defaultMaxConn {
		return min(fit, kept)
	}
	return fit
}
