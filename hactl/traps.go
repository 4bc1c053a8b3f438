package hactl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Trap is a line of a template, or the lack of one, that goes wrong with a
// version of HAProxy although the template can be rendered.
type Trap struct {
	// Line is where in the template, counted from 1; 0 where no line is at fault.
	Line         int
	Text, Remedy string
	// Fatal tells that this version refuses the line.
	Fatal bool
	// Says is how HAProxy's own words about it begin, where they name no line;
	// mostly empty.
	Says string
}

// Setting is a line of a template, in words, without its comment.
type Setting struct {
	Line  int
	Words []string
}

// Traps tells what goes wrong with the given version, in the order of lines.
// What [Template.Render] puts right is no trap.
func (t *Template) Traps(v Version) []Trap {
	var traps []Trap
	parts := t.parts()
	for _, p := range parts {
		for _, s := range p.settings {
			for _, trap := range LineTraps(strings.Join(s.Words, " "), v) {
				trap.Line = s.Line
				traps = append(traps, trap)
			}
		}
		traps = append(traps, p.openStats()...)
	}
	traps = append(traps, lacks(parts, v)...)
	slices.SortStableFunc(traps, func(a, b Trap) int { return cmp.Compare(a.Line, b.Line) })
	return traps
}

// LineTraps tells what goes wrong with one line of HAProxy's configuration;
// Line is 0.
func LineTraps(line string, v Version) []Trap {
	var traps []Trap
	words := strings.Fields(line)
	for _, k := range keywordTraps() {
		if trap, caught := k.catch(words, v); caught {
			traps = append(traps, trap)
		}
	}
	return traps
}

// Global returns the lines of the section global that begin with keyword.
func (t *Template) Global(keyword string) []Setting {
	var found []Setting
	for _, p := range t.parts() {
		for _, s := range p.settings {
			if p.keyword == "global" && s.Words[0] == keyword {
				found = append(found, s)
			}
		}
	}
	return found
}

// part is one section of a template.
type part struct {
	line           int
	keyword        string
	name, defaults string // its own, and that of the defaults it asks for
	tcp            bool
	settings       []Setting
	blocks         map[string]int // the placeholders that stand alone, with their lines
}

func (t *Template) parts() []part {
	var parts []part
	for i, l := range t.lines {
		if l.keyword == "" {
			continue
		}
		words := strings.Fields(l.text)
		if comment := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "#") }); comment >= 0 {
			words = words[:comment]
		}
		if l.opens() {
			p := part{line: i + 1, keyword: l.section, tcp: l.tcp, blocks: make(map[string]int)}
			if len(words) > 1 && words[1] != "from" {
				p.name = words[1]
			}
			if from := slices.Index(words, "from"); from > 0 && from+1 < len(words) {
				p.defaults = words[from+1]
			}
			parts = append(parts, p)
			continue
		}
		if len(parts) == 0 {
			continue
		}
		p := &parts[len(parts)-1]
		if l.block != "" {
			p.blocks[l.block] = i + 1
		} else {
			p.settings = append(p.settings, Setting{i + 1, words})
		}
	}
	return parts
}

// has tells whether the section has a line that begins with these words.
func (p part) has(words string) bool {
	return slices.ContainsFunc(p.settings, func(s Setting) bool { return begins(s.Words, words) })
}

func begins(words []string, with string) bool {
	want := strings.Fields(with)
	return len(words) >= len(want) && slices.Equal(words[:len(want)], want)
}

// defaultsOf returns the defaults that hold for the section at index i: those it
// asks for by name, else the last ones before it.
func defaultsOf(parts []part, i int) part {
	found := part{}
	for j, p := range parts {
		if p.keyword != "defaults" {
			continue
		}
		if name := parts[i].defaults; name != "" && p.name == name || name == "" && j < i {
			found = p
		}
	}
	return found
}

// lacks tells what a template should have and does not.
func lacks(parts []part, v Version) []Trap {
	var traps []Trap
	for i, p := range parts {
		own := []part{p, defaultsOf(parts, i)}
		if p.blocks["use_backend"]+p.blocks["default_backend"] > 0 {
			traps = append(traps, lacksTimeouts(p.line, own, v, "client")...)
			if !p.tcp && !oneHas(own, "timeout http-keep-alive", "timeout http-request", "option httpclose") {
				traps = append(traps, Trap{
					Line:   p.line,
					Text:   "there is no `timeout http-keep-alive`: after a reload the old processes keep idle clients for as long as `timeout client`, and cannot be told of instances that leave",
					Remedy: "add `timeout http-keep-alive 5s` to the defaults",
				})
			}
		}
		if line := p.blocks["backend"]; line > 0 {
			// The backends stand behind this section: defaults are those of none by name.
			in := defaultsOf(append(slices.Clone(parts[:i+1]), part{}), i+1)
			if in.line > 0 {
				line = in.line
			}
			traps = append(traps, lacksTimeouts(line, []part{in}, v, "connect", "server")...)
			if !in.has("option redispatch") {
				traps = append(traps, Trap{
					Line:   line,
					Text:   "there is no `option redispatch`: a request whose instance has just left is answered with 503 and not by another instance",
					Remedy: "add `option redispatch` to the defaults",
				})
			}
		}
	}
	return traps
}

func oneHas(parts []part, words ...string) bool {
	return slices.ContainsFunc(parts, func(p part) bool { return slices.ContainsFunc(words, p.has) })
}

func lacksTimeouts(line int, in []part, v Version, names ...string) []Trap {
	old := map[string]string{"client": "clitimeout", "connect": "contimeout", "server": "srvtimeout"}
	var missing []string
	for _, name := range names {
		if oneHas(in, "timeout "+name) || !v.since2(1) && oneHas(in, old[name]) {
			continue
		}
		missing = append(missing, "`timeout "+name+"`")
	}
	if len(missing) == 0 {
		return nil
	}
	return []Trap{{
		Line:   line,
		Text:   fmt.Sprintf("there is no %s: connections that hang are never given up", strings.Join(missing, " and no ")),
		Remedy: "add it to the defaults, such as 5s to connect and 60s for client and server",
		Says:   "missing timeouts for",
	}}
}

// openStats finds a stats page that lets everybody who reaches it take servers
// out, with a password that everybody knows.
func (p part) openStats() []Trap {
	if !p.has("stats admin") {
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
		if user, password, _ := strings.Cut(strings.Trim(s.Words[2], `'"`), ":"); user == password {
			traps = append(traps, Trap{
				Line:   s.Line,
				Text:   "the stats page takes servers out of service for anybody on the network who knows the default password",
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

// keywordTrap is a keyword whose meaning depends on the version. Versions are
// written 206 for 2.6.
type keywordTrap struct {
	words        []string // any of these begins the line
	with         string   // and the line contains this
	below        int      // versions below refuse it
	from, fatal  int      // versions from here on complain of it, or refuse it
	text, remedy string
}

const never = 1 << 30

// The versions where a keyword changes were measured on 2.0, 2.2, 2.6 and 3.0.
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
			words: []string{"option httpchk"}, with: `\r\n`, from: 202, fatal: 300,
			text: "headers behind the version of `option httpchk` are a hack that HAProxy gives up", remedy: "write `http-check send hdr NAME VALUE` in the section instead",
		},
		{
			words: []string{"option forceclose"}, from: 200, fatal: 203,
			text: "option forceclose means option httpclose, and is gone in later versions", remedy: "write `option httpclose`, or remove the line",
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
			words: []string{"load-server-state-from-file"}, from: 200, fatal: never,
			text: "HAProxy restores the port and the state of a free slot, but not its address: requests would go to this machine", remedy: "remove the line: haproxy-zk writes the state into the configuration",
		},
		{
			words: []string{"log stdout", "log stderr"}, from: 200, fatal: never,
			text: "the log is lost: HAProxy runs as a daemon, whose output goes nowhere", remedy: "log to an address or a socket, such as `log 127.0.0.1 local0` or `log /dev/log local0`",
		},
	}
}

func (k keywordTrap) catch(words []string, v Version) (Trap, bool) {
	if !slices.ContainsFunc(k.words, func(with string) bool { return begins(words, with) }) {
		return Trap{}, false
	}
	if !strings.Contains(strings.Join(words, " ")+" ", k.with) {
		return Trap{}, false
	}
	branch := v.Major*100 + v.Minor
	trap := Trap{Text: k.text, Remedy: k.remedy, Fatal: branch < k.below || branch >= k.fatal}
	return trap, trap.Fatal || branch >= k.from
}

// EndOfLife tells whether HAProxy's authors no longer mend this branch: 2.0
// since 2024, 2.2 since 2025, and the short-lived odd ones up to 2.9.
func (v Version) EndOfLife() bool {
	return !v.since2(4) || v.Major == 2 && v.Minor%2 == 1
}

// Source returns, for each line of what [Template.Render] made of the template,
// the template's line that it was; 0 for a line that stands for a placeholder
// or was added.
func (t *Template) Source(rendered []byte) []int {
	var source []int
	next := 0
	for line := range strings.Lines(string(rendered)) {
		line = strings.TrimSuffix(line, "\n")
		at := next
		for at < len(t.lines) && t.lines[at].mayVanish() && !t.lines[at].becomes(line) {
			at++
		}
		if at < len(t.lines) && t.lines[at].becomes(line) {
			next = at + 1
			source = append(source, next)
		} else {
			source = append(source, 0)
		}
	}
	return source
}

func (l templateLine) mayVanish() bool {
	return l.block != "" || l.section == "global" && slices.Contains([]string{"quiet", "pidfile", "nbproc"}, l.keyword)
}

// becomes tells whether the line can be rendered as text.
func (l templateLine) becomes(text string) bool {
	if l.block != "" {
		return false
	}
	if l.keyword == "" {
		return l.text == text
	}
	const blank = "\x00"
	rest, exact := text, true
	for i, fixed := range strings.Split(expand(l.text, map[string]string{"nbproc": blank, "pid_file": blank, "listener_port": blank, "admin_port": blank}), blank) {
		at := strings.Index(rest, fixed)
		if at < 0 || i == 0 && at > 0 {
			return false
		}
		rest, exact = rest[at+len(fixed):], fixed != "" || i == 0
	}
	return rest == "" || !exact
}
