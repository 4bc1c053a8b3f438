package haproxy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Trap is a line of a template, or a missing one, that causes trouble with a version of
// HAProxy although the template can be rendered.
type Trap struct {
	// Line is the template's line, counted from 1; 0 if no line is at fault.
	Line int
	// End is the last line of a section that is at fault as a whole; otherwise 0.
	End          int
	Text, Remedy string
	// Fatal is true if this version rejects the line.
	Fatal bool
	// Note is true if the line works, and only its meaning depends on the version.
	Note bool
	// HAProxySays is part of HAProxy's own message about it; empty if HAProxy prints none.
	HAProxySays string
}

// Traps returns what causes trouble with a version, in the order of lines. What
// [Template.Render] fixes is not a trap.
func (t *Template) Traps(v Version) []Trap {
	var traps []Trap
	for _, p := range t.sections {
		for _, s := range p.settings {
			for _, trap := range trapsOfWords(s.Words, v) {
				trap.Line = s.Line
				traps = append(traps, trap)
			}
		}
		traps = append(traps, p.openStats()...)
		traps = append(traps, p.lostTables()...)
		traps = append(traps, p.lacks(v)...)
	}
	for _, line := range t.blockLines("backend") {
		traps = append(traps, lacksForBackends(line, t.defaults, v)...)
	}
	traps = append(traps, t.sectionTraps(v)...)
	slices.SortStableFunc(traps, func(a, b Trap) int { return cmp.Compare(a.Line, b.Line) })
	return traps
}

// LineTraps returns what causes trouble with one line of HAProxy's configuration; Line
// is 0.
func LineTraps(line string, v Version) []Trap { return trapsOfWords(splitWords(line), v) }

func trapsOfWords(words []string, v Version) []Trap {
	var traps []Trap
	for _, k := range keywordTraps() {
		if trap, caught := k.catch(words, v); caught {
			traps = append(traps, trap)
		}
	}
	return traps
}

// Global returns the lines of the global section that begin with words, or all of them if
// words is empty.
func (t *Template) Global(words string) []Setting {
	var found []Setting
	for _, p := range t.sections {
		for _, s := range p.settings {
			if p.keyword == "global" && begins(s.Words, words) {
				found = append(found, s)
			}
		}
	}
	return found
}

// lacks returns what a section that receives requests should have.
func (p *section) lacks(v Version) []Trap {
	if len(p.blocks["use_backend"])+len(p.blocks["default_backend"]) == 0 {
		return nil
	}
	traps := lacksTimeouts(p.line, p, v, "client")
	if p.mode() == "http" && !p.has("timeout http-keep-alive") && !p.has("timeout http-request") && !p.has("option httpclose") {
		traps = append(traps, Trap{
			Line:   p.line,
			Text:   "there is no `timeout http-keep-alive`: after a reload the old processes keep idle clients for as long as `timeout client`, and do not learn of deregistered instances",
			Remedy: "add `timeout http-keep-alive 5s` to the defaults",
		})
	}
	return traps
}

// lacksForBackends returns what the groups' backends should inherit. line is that of
// $backend.
func lacksForBackends(line int, home *section, v Version) []Trap {
	if home != nil {
		line = home.line
	}
	traps := lacksTimeouts(line, home, v, "connect", "server")
	if !home.has("option redispatch") {
		traps = append(traps, Trap{
			Line:   line,
			Text:   "there is no `option redispatch`: a request whose instance has just been deregistered fails with 503 instead of going to another instance",
			Remedy: "add `option redispatch` to the defaults",
		})
	}
	return traps
}

func lacksTimeouts(line int, in *section, v Version, names ...string) []Trap {
	old := map[string]string{"client": "clitimeout", "connect": "contimeout", "server": "srvtimeout"}
	var missing []string
	for _, name := range names {
		if in.has("timeout "+name) || v.oldTimeouts() && in.has(old[name]) {
			continue
		}
		missing = append(missing, "`timeout "+name+"`")
	}
	if len(missing) == 0 {
		return nil
	}
	return []Trap{{
		Line:        line,
		Text:        fmt.Sprintf("there is no %s: hung connections are never closed", strings.Join(missing, " and no ")),
		Remedy:      "add it to the defaults, such as 5s to connect and 60s for client and server",
		HAProxySays: "missing timeouts for",
	}}
}

// lostTables finds the section's stick tables that a reload empties.
func (p *section) lostTables() []Trap {
	var traps []Trap
	for _, s := range p.settings {
		if s.Words[0] == "stick-table" && !slices.Contains(s.Words, "peers") {
			traps = append(traps, Trap{Line: s.Line, Text: lostTable, Remedy: lostTableRemedy})
		}
	}
	return traps
}

// openStats finds a stats page on the network that changes servers with a default
// password.
func (p *section) openStats() []Trap {
	if !p.own("stats admin") {
		return nil
	}
	open := false
	for _, s := range p.settings {
		if s.Words[0] != "bind" || len(s.Words) < 2 {
			continue
		}
		for address := range strings.SplitSeq(s.Words[1], ",") {
			open = open || !isLocal(address)
		}
	}
	var traps []Trap
	for _, s := range p.settings {
		if !open || !begins(s.Words, "stats auth") || len(s.Words) < 3 {
			continue
		}
		if user, password, _ := strings.Cut(s.Words[2], ":"); user == password {
			traps = append(traps, Trap{
				Line:   s.Line,
				Text:   "the stats page lets anybody on the network who knows the default password take servers out of service",
				Remedy: "choose another password, bind the page to 127.0.0.1, or remove `stats admin`",
			})
		}
	}
	return traps
}

func isLocal(address string) bool {
	for _, prefix := range []string{"127.", "localhost:", "[::1]:", "::1:", "/", "unix@", "abns@"} {
		if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(address, "ipv4@"), "ipv6@"), prefix) {
			return true
		}
	}
	return false
}

// keywordTrap is a keyword whose meaning depends on the version. 206 stands for version
// 2.6.
type keywordTrap struct {
	words        []string // the line begins with one of these
	with         string   // and contains this
	below        int      // versions below reject it
	from, fatal  int      // versions from here on warn of it, or reject it
	silent       bool     // HAProxy prints no message
	text, remedy string
}

const never = 1 << 30

// The versions at which keywords change were measured on 2.0, 2.2, 2.6 and 3.0.
func keywordTraps() []keywordTrap {
	return []keywordTrap{
		{
			words: []string{"bind-process"}, from: 205, fatal: 207,
			text: "bind-process chooses among processes, which HAProxy 2.5 removed", remedy: "remove the line",
		},
		{
			words: []string{"stats bind-process"}, from: 207, fatal: 207,
			text: "stats bind-process chooses among processes, which HAProxy 2.5 removed", remedy: "remove the line",
		},
		{
			words: []string{"bind", "stats socket"}, with: " process ", from: 205, fatal: 207,
			text: "`process` chooses among processes, which HAProxy 2.5 removed", remedy: "remove `process` and its number",
		},
		{
			words: []string{"tune.chksize"}, from: 204, fatal: 206,
			text: "HAProxy 2.4 and later have no tune.chksize", remedy: "remove the line",
		},
		{
			words: []string{"strict-limits", "no strict-limits"}, below: 201, from: never, fatal: never,
			text: "strict-limits is unknown below HAProxy 2.1", remedy: "remove the line: haproxy-zk adds `no strict-limits` where it is needed",
		},
		{
			words: []string{"option idle-close-on-response", "no option idle-close-on-response"}, below: 204, from: never, fatal: never,
			text: "idle-close-on-response is unknown below HAProxy 2.4", remedy: "remove the line: haproxy-zk adds it where it is needed",
		},
		{
			words: []string{"http-check send"}, below: 202, from: never, fatal: never,
			text: "http-check send is unknown below HAProxy 2.2", remedy: "put the method and the path into `option httpchk`",
		},
		{
			words: []string{"option httpchk"}, with: "\r\n", from: 202, fatal: 300,
			text: "headers after the version of `option httpchk` are deprecated in HAProxy", remedy: "write `http-check send hdr NAME VALUE` in the section instead",
		},
		{
			words: []string{"option forceclose"}, from: 200, fatal: 203,
			text: "option forceclose means option httpclose, and later versions removed it", remedy: "write `option httpclose`, or remove the line",
		},
		{
			words: []string{
				"reqrep", "reqirep", "reqadd", "reqdel", "reqidel", "reqallow", "reqiallow", "reqdeny", "reqideny", "reqpass", "reqipass", "reqtarpit", "reqitarpit",
				"rspadd", "rsprep", "rspirep", "rspdel", "rspidel", "rspdeny", "rspideny",
			}, from: 200, fatal: 201,
			text: "HAProxy 2.1 removed the keywords req… and rsp…", remedy: "write http-request or http-response rules instead",
		},
		{
			words: []string{"block"}, from: 200, fatal: 201,
			text: "HAProxy 2.1 removed block", remedy: "write `http-request deny` instead",
		},
		{
			words: []string{"clitimeout", "contimeout", "srvtimeout"}, from: 200, fatal: 201,
			text: "HAProxy 2.1 removed clitimeout, contimeout and srvtimeout", remedy: "write `timeout client`, `timeout connect` or `timeout server` instead",
		},
		{
			words: []string{"load-server-state-from-file"}, from: 200, fatal: never, silent: true,
			text: "HAProxy restores the port and the state of a free slot, but not its address: requests would go to this machine", remedy: "remove the line: haproxy-zk writes the state into the configuration",
		},
		{
			words: []string{"log stdout", "log stderr"}, from: 200, fatal: never, silent: true,
			text: "the log is lost: HAProxy runs as a daemon, whose output is discarded", remedy: "log to an address or a socket, such as `log 127.0.0.1 local0` or `log /dev/log local0`",
		},
	}
}

func (k keywordTrap) catch(words []string, v Version) (Trap, bool) {
	at := slices.IndexFunc(k.words, func(with string) bool { return begins(words, with) })
	if at < 0 {
		return Trap{}, false
	}
	if !strings.Contains(strings.Join(words, " ")+" ", k.with) {
		return Trap{}, false
	}
	branch := v.Major*100 + v.Minor
	trap := Trap{Text: k.text, Remedy: k.remedy, Fatal: branch < k.below || branch >= k.fatal}
	if named := strings.Fields(k.words[at] + k.with); !k.silent {
		trap.HAProxySays = named[len(named)-1]
	}
	return trap, trap.Fatal || branch >= k.from
}
