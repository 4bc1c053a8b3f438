package haproxy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Frame describes the configuration of one proxy, except its backends.
type Frame struct {
	Version Version
	// ConfFile is the file of the configuration, beside which the maps are.
	ConfFile string
	// Routes are those of groups that may be added at run time.
	Routes []Route
	// Discovered is the backend of any group that may be discovered, which is named
	// [AnyGroup]; nil if none may.
	Discovered *Backend
	// Kinds are those of the groups that are written out, and of earlier ones.
	Kinds []Kind
	// Sockets are the paths of the stats sockets, one per worker.
	Sockets      []string
	PIDFile      string
	ListenerPort uint16
	AdminPort    uint16
	// Lines are the own lines of all groups, also of those to be discovered.
	Lines []string
	// Files is the limit of open files of each HAProxy process; 0 if unknown. The built-in
	// templates' maxconn follows it.
	Files uint64
}

// Validate returns why the template cannot be rendered with these backends; the error
// joins all problems.
func (t *Template) Validate(f Frame, backends []Backend) error {
	var problems []error
	for _, b := range backends {
		if what := t.Taken(b.Name); what != "" {
			problems = append(problems, fmt.Errorf("the group %q has the name of a %s of the template: rename one of them", b.Name, what))
		}
	}
	if !f.Version.Nbproc() {
		return errors.Join(problems...)
	}
	asked := t.Global("nbproc")
	if len(f.Sockets) > 1 && len(asked) == 0 {
		problems = append(problems, fmt.Errorf("%d socket files ask for %d processes: add the line `nbproc $nbproc` to the section global", len(f.Sockets), len(f.Sockets)))
	}
	for _, s := range asked {
		if n := processes(s); n > 0 && n != len(f.Sockets) {
			problems = append(problems, fmt.Errorf("line %d: %s and %s: a process without a socket of its own is never updated and routes to deregistered instances: "+
				"name %d socket_files, one a process, and write `nbproc $nbproc`", s.Line, count(n, "process", "processes"), count(len(f.Sockets), "socket file", "socket files"), n))
		}
	}
	return errors.Join(problems...)
}

// processes returns the literal number of a line `nbproc N`, or 0.
func processes(s Setting) int {
	if len(s.Words) < 2 {
		return 0
	}
	n, err := strconv.Atoi(s.Words[1])
	if err != nil {
		return 0
	}
	return n
}

func count(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// Render returns the configuration of HAProxy with every occupied slot as a `server`
// line, so that a new worker serves immediately, and every range of free slots as a
// disabled `server-template`. rows has the slots of each backend, in the order of
// backends.
//
// Lines that the version would reject are omitted or replaced (see [Template.adapt]), and
// every section gets what HAProxy needs for reloads without loss.
func (t *Template) Render(f Frame, backends []Backend, rows [][]Row) []byte {
	out := &page{}
	t.renderTo(out, f, backends, rows)
	return out.Bytes()
}

// Places returns the origin of each line of [Template.Render]'s result.
func (t *Template) Places(f Frame, backends []Backend, rows [][]Row) []Place {
	out := &page{places: new([]Place)}
	t.renderTo(out, f, backends, rows)
	return *out.places
}

func (t *Template) renderTo(out *page, f Frame, backends []Backend, rows [][]Row) {
	values := map[string]string{
		"nbproc":        strconv.Itoa(len(f.Sockets)),
		"pid_file":      f.PIDFile,
		"listener_port": strconv.Itoa(int(f.ListenerPort)),
		"admin_port":    strconv.Itoa(int(f.AdminPort)),
	}
	if t.autoMaxConn {
		values["maxconn"] = strconv.FormatUint(t.fitMaxConn(f, countSlots(backends, rows)), 10)
	}
	for i, l := range t.lines {
		out.now = Place{Template: i + 1}
		switch {
		case len(l.words) == 0:
			out.text(l.text + "\n")
		case len(l.blocks) == 0:
			if text, stays := t.adapt(l, expand(l.text, values), f); stays {
				out.text(text + "\n")
			}
		}
		out.now = Place{}
		if l.section != nil && l.section.line == i+1 {
			t.complete(out, l.section, f, backends)
		}
		for _, block := range l.blocks {
			t.renderBlock(out, block, l.section, f, values, backends, rows)
		}
	}
}

// complete adds the missing lines of a section after the line that opens it.
func (t *Template) complete(out *page, s *section, f Frame, backends []Backend) {
	if s.keyword != "frontend" && s.keyword != "listen" || s.mode() != "http" {
		return
	}
	if s.forwards() {
		if r := t.renewal(f); slices.ContainsFunc(backends, r.renews) {
			r.renderFrontend(out)
		}
	}
	if f.Version.idleClose() && !s.has("option idle-close-on-response") && !s.has("no option idle-close-on-response") {
		out.linef("option idle-close-on-response")
	}
}

func (t *Template) renderBlock(out *page, block string, in *section, f Frame, values map[string]string, backends []Backend, rows [][]Row) {
	switch block {
	case "sockets":
		if len(t.Global("stats maxconn")) == 0 {
			// HAProxy's default of ten is soon used up by other clients, and a worker would seem to
			// hang.
			out.linef("stats maxconn 100")
		}
		renderSockets(out, f)
		if r := t.renewal(f); slices.ContainsFunc(backends, r.renews) {
			r.renderPipes(out)
		}
		if f.Version.strictLimits() && len(t.Global("strict-limits"))+len(t.Global("no strict-limits")) == 0 {
			// HAProxy's behavior before 2.3, which the seed's users know: a maxconn beyond the limit
			// of open files is a warning.
			out.linef("no strict-limits")
		}
		t.renderCheckSpread(out, f, backends)
	case "acl":
		for _, b := range backends {
			out.now = Place{Group: b.Name}
			t.renderACLs(out, b, backends, b.routedIn(in))
		}
	case "use_backend":
		for _, b := range backends {
			if len(b.ACLs) > 0 && !b.routedIn(in) {
				out.now = Place{Group: b.Name}
				out.linef("use_backend %s if %s", b.Name, b.Name)
			}
		}
		if out.now = (Place{}); in.mode() == "http" {
			renderMaps(out, f, backends)
		}
	case "default_backend":
		for _, b := range backends {
			if b.Default {
				out.now = Place{Group: b.Name}
				out.linef("default_backend %s", b.Name)
			}
		}
	case "backend":
		t.renderBackends(out, f, values, backends, rows)
	}
}

// renderACLs gives a group's conditions one name, so that HAProxy combines them with OR.
// The Python daemon named the Nth condition of a group GROUPN: if the template uses such
// a name, it is rendered too. The conditions of a group that is found in a map are
// rendered only for rules of the template.
func (t *Template) renderACLs(out *page, b Backend, all []Backend, routed bool) {
	for _, acl := range b.ACLs {
		if !routed || t.usesACL(b.Name) {
			out.linef("acl %s %s", b.Name, acl)
		}
	}
	for i, acl := range b.ACLs {
		name := b.Name + strconv.Itoa(i+1)
		if t.usesACL(name) && t.Taken(name) == "" && !slices.ContainsFunc(all, func(b Backend) bool { return b.Name == name }) {
			out.linef("acl %s %s", name, acl)
		}
	}
}

// routedIn reports whether a section finds the backend in a map. Sections of mode tcp know
// nothing of a request: what HAProxy says about conditions there it has always said.
func (b Backend) routedIn(s *section) bool { return b.Route != "" && s.mode() == "http" }

// renderBackends renders the groups. Those of mode tcp follow the others, with their own
// defaults, if the template's are for mode http. What no section must inherit that does not
// name it comes last.
func (t *Template) renderBackends(out *page, f Frame, values map[string]string, backends []Backend, rows [][]Row) {
	apart := func(b Backend) bool { return b.Mode == "tcp" && t.unfitForTCP() }
	first, renewal := true, t.renewal(f)
	renderSome := func(which bool, from string) {
		for i, b := range backends {
			if apart(b) != which {
				continue
			}
			out.now = Place{Group: b.Name}
			if !first {
				out.text("\n")
			}
			first = false
			t.renderBackend(out, b, rows[i], renewal, from, values)
		}
		out.now = Place{}
	}
	renderSome(false, t.from(f.Version))
	if slices.ContainsFunc(backends, renewal.renews) {
		renewal.renderTable(out, t.from(f.Version))
	}
	tcp, kinds := slices.ContainsFunc(backends, apart), len(t.renderedKinds(f)) > 0
	if tcp {
		if !first {
			out.text("\n")
		}
		first = true
		t.renderTCPDefaults(out, values)
		renderSome(true, "")
	}
	t.renderKinds(out, f, renewal, values)
	if (tcp || kinds) && t.followed {
		t.renderDefaultsAgain(out, values)
	}
}

func renderSockets(out *page, f Frame) {
	for i, path := range f.Sockets {
		process := ""
		if f.Version.Nbproc() && len(f.Sockets) > 1 {
			process = fmt.Sprintf(" process %d", i+1)
		}
		out.linef("stats socket %s mode 600 level admin expose-fd listeners%s", path, process)
	}
}

func (t *Template) renderBackend(out *page, b Backend, rows []Row, r renewal, from string, values map[string]string) {
	if b.ListenerPort != 0 {
		out.text(sectionLine("frontend", b.Name+".listener", from))
		out.linef("bind *:%d", b.ListenerPort)
		out.linef("mode %s", b.Mode)
		if r.renews(b) {
			r.renderFrontend(out)
		}
		if b.Mode == "http" && r.version.idleClose() && !t.defaults.has("option idle-close-on-response") && !t.defaults.has("no option idle-close-on-response") {
			out.linef("option idle-close-on-response")
		}
		out.linef("default_backend %s", b.Name)
		out.text("\n")
	}
	out.text(sectionLine("backend", b.Name, from))
	t.renderSettings(out, b, r, values)
	t.renderServers(out, b, rows, r.version)
}

// renderSettings renders what a backend has besides servers.
func (t *Template) renderSettings(out *page, b Backend, r renewal, values map[string]string) {
	out.linef("mode %s", b.Mode)
	if balance := t.balance(b); balance != "" {
		out.linef("balance %s", balance)
	}
	if b.HTTPCheck != "" {
		t.renderHTTPCheck(out, b, r.version, values)
	}
	switch {
	case r.closes(b):
		out.linef("option http-server-close")
	case r.renews(b):
		out.linef("http-reuse never")
	}
	for i, line := range b.Lines {
		out.now.Line = i + 1
		out.linef("%s", expand(line, values))
	}
	out.now.Line = 0
}

// defaultBalance is HAProxy's own default up to 3.2; later it is random.
const defaultBalance = "roundrobin"

// balance returns the configured algorithm of the group. If there is none and the
// template's defaults have one, it returns "" and nothing is rendered.
func (t *Template) balance(b Backend) string {
	if b.Balance != "" {
		return b.Balance
	}
	setting, inherits := t.defaults.last("balance")
	if inherits && (b.Mode != "tcp" || !httpOnly(setting.Words)) {
		return ""
	}
	return defaultBalance
}

func (t *Template) renderServers(out *page, b Backend, rows []Row, v Version) {
	params := strings.Join(b.Servers.Params, " ")
	if params != "" {
		params = " " + params
	}
	if key := t.hashKey(b, v); key != "" {
		params += " " + key
	}
	enabled := ""
	if t.disablesServers(b) {
		enabled = " enabled"
	}
	named := params // of servers that were, or might have been, added at run time
	if len(rows) > 0 && rows[0].Named {
		named += t.firstCheckOf(b)
	}
	for i := 0; i < len(rows); i++ {
		if r := rows[i]; !r.free() {
			state := enabled
			if r.Disabled {
				state = " disabled"
			}
			if r.Named {
				out.line("server ", AddressName(r.Addr), " ", r.Addr.String(), named, guid(b.Name, r.Addr), state)
				continue
			}
			out.line("server ", b.Servers.Name(i), " ", r.Addr.String(), params, state)
			continue
		}
		from := i
		for i+1 < len(rows) && rows[i+1].free() {
			i++
		}
		// A single slot is written A-A: `server-template web 9` means 1-9.
		out.linef("server-template %s %d-%d %s%s disabled", b.Servers.Prefix, b.Servers.First+from, b.Servers.First+i, b.Servers.Free, params)
	}
}

// disablesServers reports whether a default-server line of the group, or of its inherited
// defaults, disables every server that is not explicitly enabled.
func (t *Template) disablesServers(b Backend) bool {
	disabled := false
	look := func(words []string) {
		if words[0] != "default-server" {
			return
		}
		for _, word := range words[1:] {
			disabled = word == "disabled" || disabled && word != "enabled"
		}
	}
	for _, s := range t.defaults.all() {
		look(s.Words)
	}
	for _, line := range b.Lines {
		if words := splitWords(line); len(words) > 0 {
			look(words)
		}
	}
	return disabled
}
