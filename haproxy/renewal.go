package haproxy

import (
	"slices"
	"strings"
)

// Where a kept client stays on its connection to a server, the server's new address does
// not reach that client: HAProxy 2.0 and 2.1 let each client connection keep connections
// to servers, and up to 3.0.10 and 3.1.7 they do with `http-reuse never`. So a slot that an
// instance has left may only get another address once no client connection from before
// remains.
//
// The frontends count client connections by round (see [Clients]) and close those of
// earlier rounds after their next answer. `http-reuse never` binds each server
// connection to one client connection: otherwise HAProxy hands it on to another client.

// stickCounters returns the words that track with each of HAProxy's stick counters.
func stickCounters() [3]string { return [...]string{"track-sc0", "track-sc1", "track-sc2"} }

// renewal is how kept clients renew their connections with one template and version.
type renewal struct {
	template *Template
	version  Version
	// counter is the stick counter that tracks client connections.
	counter int
	// pipes is the global maxpipes that reserves descriptors for kept connections; 0 if
	// maxconn suffices.
	pipes uint64
	// obstacle is why the template does not allow it; nil if it does.
	obstacle *Trap
}

// Renews returns a function that reports whether a slot of a backend may only be reused
// after the clients connected at that time have renewed their connections.
func (t *Template) Renews(f Frame) func(b Backend) bool { return t.renewal(f).renews }

// RenewalTraps returns, as notes, what makes a backend close server connections after each
// request although neither its keys nor the template ask for that.
func (t *Template) RenewalTraps(f Frame, b Backend) []GroupTrap {
	if b.ServerClose != nil {
		return nil
	}
	_, trap := t.renewal(f).pins(b)
	if trap == nil {
		return nil
	}
	trap.Note = true
	trap.Text += ": `option http-server-close` keeps them from deregistered instances, at the price of a connection per request"
	return []GroupTrap{*trap}
}

func (t *Template) renewal(f Frame) renewal {
	r := renewal{template: t, version: f.Version}
	r.counter, r.obstacle = t.freeCounter(f.Lines)
	if r.obstacle == nil {
		r.pipes, r.obstacle = t.keptPipes(f)
	}
	for _, find := range []func() *Trap{t.unknownMode, t.upgradesTCP, t.servesHTTP2, t.lacksHTX} {
		if r.obstacle == nil {
			r.obstacle = find()
		}
	}
	return r
}

// pins reports whether a kept client of the backend stays on its server connection, and
// why such clients cannot renew it; nil if they can.
func (r renewal) pins(b Backend) (pins bool, obstacle *GroupTrap) {
	if b.Mode != "http" || !r.version.pinsPrivateConnections() {
		return false, nil
	}
	lines := groupLines(r.template, b)
	if closesConnections(lines) {
		return false, nil
	}
	reuse, set := effective(lines, "http-reuse")
	unshared := set && reuse.is("never") || r.version.sharesOnlyPlain() && slices.ContainsFunc(lines, groupLine.unshared)
	if !r.version.PinsConnections() && !unshared {
		return false, nil
	}
	return true, r.obstacleOf(lines)
}

// obstacleOf returns why kept clients of a backend with these lines cannot renew; nil if
// they can.
func (r renewal) obstacleOf(lines []groupLine) *GroupTrap {
	if r.obstacle != nil {
		trap := GroupTrap{Trap: *r.obstacle}
		if trap.Line == 0 {
			trap.Key = "lines"
		}
		return &trap
	}
	if reuse, set := effective(lines, "http-reuse"); set && !reuse.is("never") {
		trap := reuse.newTrap("`http-reuse` hands the connections of a kept client on to other clients", "remove the line to let kept clients renew their connections instead")
		return &trap
	}
	for _, l := range lines {
		if begins(l.words, "http-response allow") {
			trap := l.newTrap("`http-response allow` skips the rule that makes kept clients renew their connections", "write its condition into the rules that follow instead")
			return &trap
		}
	}
	return nil
}

func (r renewal) renews(b Backend) bool {
	if b.ServerClose != nil && *b.ServerClose {
		return false
	}
	pins, obstacle := r.pins(b)
	return pins && obstacle == nil
}

// closes reports whether `option http-server-close` is rendered.
func (r renewal) closes(b Backend) bool {
	if b.ServerClose != nil {
		return *b.ServerClose && b.Mode == "http"
	}
	_, obstacle := r.pins(b)
	return obstacle != nil
}

// renderFrontend makes the client connections of a frontend renew.
func (r renewal) renderFrontend(out *page) {
	out.linef("tcp-request connection track-sc%d int(0),table_gpt0(%s) table %s", r.counter, clientsTable, clientsTable)
	out.linef("http-response set-header Connection close if { sc%d_get_gpt0 gt 0 }", r.counter)
}

// renderTable renders the table of client connections. Its entries never expire, and it
// has a few at a time.
func (r renewal) renderTable(out *page, from string) {
	out.text("\n" + sectionLine("backend", clientsTable, from))
	out.linef("stick-table type integer size 1000 store gpt0,conn_cur")
}

// renderPipes reserves the descriptors of kept connections.
func (r renewal) renderPipes(out *page) {
	if r.pipes > 0 {
		out.linef("maxpipes %d", r.pipes)
	}
}

// is reports whether the line has the argument word.
func (l groupLine) is(word string) bool { return len(l.words) > 1 && l.words[1] == word }

// unshared reports whether the line has settings of servers with which HAProxy before 2.4
// does not share connections between clients: they depend on the client.
func (l groupLine) unshared() bool {
	return l.configuresServers() && slices.ContainsFunc(l.words[1:], func(word string) bool {
		return word == "sni" || strings.HasPrefix(word, "send-proxy")
	})
}

// closesConnections reports whether the lines close server connections after each request.
func closesConnections(lines []groupLine) (closes bool) {
	for _, l := range lines {
		words, no := l.words, l.words[0] == "no"
		if no {
			words = words[1:]
		}
		if len(words) < 2 || words[0] != "option" {
			continue
		}
		switch words[1] {
		case "http-server-close", "httpclose", "forceclose":
			closes = !no
		case "http-keep-alive":
			closes = closes && no
		}
	}
	return closes
}

// forwards reports whether the section passes requests to backends.
func (s *section) forwards() bool {
	return (s.keyword == "frontend" || s.keyword == "listen") &&
		(len(s.blocks["use_backend"])+len(s.blocks["default_backend"]) > 0 || s.own("use_backend") || s.own("default_backend"))
}

// freeCounter returns a stick counter that neither the template nor the groups' own lines
// use.
func (t *Template) freeCounter(lines []string) (counter int, obstacle *Trap) {
	counters := stickCounters()
	var used [len(counters)]int // the line, -1 for a group's own
	note := func(words []string, line int) {
		for _, word := range words {
			if i := slices.Index(counters[:], word); i >= 0 {
				used[i] = line
			}
		}
	}
	for _, s := range t.sections {
		for _, l := range s.settings {
			note(l.Words, l.Line)
		}
	}
	for _, line := range lines {
		note(splitWords(line), -1)
	}
	for i, line := range slices.Backward(used[:]) {
		if line == 0 {
			return i, nil
		}
	}
	return 0, &Trap{
		Line:   max(0, slices.Max(used[:])),
		Text:   "the rules use all three stick counters, one of which is needed to make kept clients renew their connections",
		Remedy: "use `track-sc0` and `track-sc1` only",
	}
}

// unknownMode finds a section whose mode HAProxy takes from the environment.
func (t *Template) unknownMode() *Trap {
	for _, s := range t.sections {
		if mode, set := s.last("mode"); set && s.forwards() && !slices.Contains([]string{"http", "tcp", "health"}, s.mode()) {
			return &Trap{Line: mode.Line, Text: "the mode is not written out, so kept clients of the section may not renew their connections", Remedy: "write `mode http` or `mode tcp`"}
		}
	}
	return nil
}

// upgradesTCP finds a frontend of mode tcp that may pass its connections to groups of mode
// http.
func (t *Template) upgradesTCP() *Trap {
	for _, s := range t.sections {
		if s.forwards() && s.mode() == "tcp" {
			return &Trap{Line: s.line, Text: "the section of mode tcp may pass requests to groups of mode http, whose clients cannot be made to renew their connections", Remedy: "write `mode http`, or give groups of mode tcp a `listener_port`"}
		}
	}
	return nil
}

// servesHTTP2 finds a listener of HTTP/2, whose connections an answer cannot close.
func (t *Template) servesHTTP2() *Trap {
	for _, s := range t.sections {
		for _, l := range s.settings {
			if l.Words[0] != "bind" {
				continue
			}
			for i, word := range l.Words[:len(l.Words)-1] {
				protocols := strings.Split(l.Words[i+1], ",")
				if slices.Contains([]string{"alpn", "npn", "proto"}, word) && slices.Contains(protocols, "h2") {
					return &Trap{Line: l.Line, Text: "HTTP/2 clients cannot be made to renew their connections", Remedy: "remove h2 from the line"}
				}
			}
		}
	}
	return nil
}

// lacksHTX finds the switch to the HTTP parser before HAProxy 2.0, which decides about a
// client connection before it runs the rules of an answer.
func (t *Template) lacksHTX() *Trap {
	for _, s := range t.sections {
		for _, l := range s.settings {
			if begins(l.Words, "no option http-use-htx") {
				return &Trap{Line: l.Line, Text: "without HTX kept clients cannot be made to renew their connections", Remedy: "remove the line"}
			}
		}
	}
	return nil
}
