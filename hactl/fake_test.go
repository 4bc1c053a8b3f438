package hactl

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// fakeSocket is a listener that generations hand over to each other.
type fakeSocket struct {
	path string

	mu       sync.Mutex
	worker   *fakeWorker
	previous *fakeWorker // answers the lent connections
	lent     int
}

func newFakeSocket(tb testing.TB, path string) *fakeSocket {
	tb.Helper()
	s := &fakeSocket{path: path, worker: newFakeWorker(1, nil)}
	l, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	ctx := tb.Context()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			w := s.take()
			serving.Go(func() { w.serve(ctx, conn) })
		}
	})
	tb.Cleanup(func() { l.Close(); serving.Wait() })
	return s
}

func (s *fakeSocket) take() *fakeWorker {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lent > 0 {
		s.lent--
		return s.previous
	}
	return s.worker
}

func (s *fakeSocket) handOver(w *fakeWorker, shared int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.previous, s.worker, s.lent = s.worker, w, shared
}

// lend lets previous answer the next n connections.
func (s *fakeSocket) lend(previous *fakeWorker, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.previous, s.lent = previous, n
}

// left returns how many connections the previous worker will still answer.
func (s *fakeSocket) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lent
}

// fakeWorker is one HAProxy process.
type fakeWorker struct {
	pid int

	mu       sync.Mutex
	names    []string // backend/server, in the order of the configuration
	servers  map[string]*fakeServer
	backends map[string]bool
	dynamic  fakeBackends
	maps     fakeMaps
	clients  fakeClients
	writes   [][]string // requests received, one entry per connection

	hang     chan struct{} // if not nil, replies wait until it is closed
	executes bool          // it executes commands even while it hangs
	hung     int           // connections left without a reply, except for probes
	refused  string        // requests containing it get an unexpected reply
	refusals int           // how many times
	odd      string        // requests containing it are executed, with an unexpected reply
	fatal    string        // the first request containing it ends the worker, by dies
	dies     func()
	dead     bool
	dropped  int // dropped log lines
	version  string
}

// Bits of srv_admin_state and srv_agent_state.
const (
	forcedMaint     = 1
	configuredMaint = 4
	forcedDrain     = 8

	agentThere   = 2
	agentOn      = 4
	agentIsAgent = 16
)

type fakeServer struct {
	ip       netip.Addr
	port     int
	admin    int
	up       bool
	weight   int // relative to 1 in the configuration
	agent    int // srv_agent_state
	sessions int
	late     int // this many sessions begin just before it goes to maint
	total    int // all its sessions so far
}

func newFakeWorker(pid int, config []byte) *fakeWorker {
	w := &fakeWorker{pid: pid, version: "2.2.9", servers: make(map[string]*fakeServer), backends: make(map[string]bool), clients: make(fakeClients)}
	backend := ""
	for line := range strings.Lines(string(config)) {
		switch words := strings.Fields(line); {
		case len(words) > 1 && words[0] == "backend":
			backend = words[1]
			w.backends[backend] = true
		case len(words) > 1 && words[0] == "defaults":
			w.dynamic.from(words[1])
		case len(words) > 2 && words[0] == "server":
			w.add(backend, words[1], words[2], words)
		case len(words) > 3 && words[0] == "server-template":
			t, err := haproxy.ParseServerTemplate(strings.Join(words[1:], " "), "", 0)
			if err != nil {
				panic(err)
			}
			for i := t.First; i <= t.Last; i++ {
				w.add(backend, words[1]+strconv.Itoa(i), words[3], words)
			}
		}
	}
	return w
}

func (w *fakeWorker) add(backend, name, address string, words []string) {
	addr := netip.MustParseAddrPort(address)
	s := &fakeServer{ip: addr.Addr(), port: int(addr.Port()), up: true, weight: 1}
	if slices.Contains(words, "disabled") {
		s.admin, s.up = forcedMaint|configuredMaint, false
	}
	if slices.Contains(words, "agent-check") {
		s.agent = agentIsAgent | agentThere | agentOn
	}
	w.backends[backend] = true
	name = backend + "/" + name
	w.names, w.servers[name] = append(w.names, name), s
}

func (w *fakeWorker) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	w.mu.Lock()
	hang, executes := w.hang, w.executes
	w.mu.Unlock()
	var reply string
	if hang == nil || executes {
		reply = w.answer(line)
	}
	if hang == nil {
		io.WriteString(conn, reply) //nolint:errcheck // the client may be gone
		return
	}
	if line != "show info\n" { // a probe may be late
		w.mu.Lock()
		w.hung++
		w.mu.Unlock()
	}
	select {
	case <-hang:
	case <-ctx.Done():
	}
}

// answer executes one write.
func (w *fakeWorker) answer(line string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	requests := strings.Split(strings.TrimSuffix(line, "\n"), ";")
	w.writes = append(w.writes, requests)
	var out strings.Builder
	for _, r := range requests {
		if w.dead = w.dead || w.fatal != "" && strings.Contains(r, w.fatal); w.dead {
			if w.dies != nil {
				w.dies()
				w.dies = nil
			}
			break
		}
		reply := ""
		switch {
		case w.refusals > 0 && strings.Contains(r, w.refused):
			w.refusals--
			reply = "Permission denied"
		default:
			if reply = w.run(r); w.odd != "" && strings.Contains(r, w.odd) {
				reply = "All right, that is done."
			}
		}
		if reply != "" {
			reply += "\n"
		}
		out.WriteString(reply + "\n")
	}
	return out.String()
}

// drop adds to the number of dropped log lines.
func (w *fakeWorker) drop(lines int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropped = lines
}

// upgrade sets the version that it says it is.
func (w *fakeWorker) upgrade(version string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.version = version
}

func (w *fakeWorker) run(request string) string {
	words := strings.Fields(request)
	switch {
	case request == "show info":
		return fmt.Sprintf("Name: HAProxy\nVersion: %s\nNbproc: 2\nPid: %d\nUptime: 0d 0h00m00s\nDroppedLogs: %d", w.version, w.pid, w.dropped)
	case request == "show servers state":
		return w.state("")
	case len(words) == 4 && strings.HasPrefix(request, "show servers state "):
		if !w.backends[words[3]] {
			return "Can't find backend."
		}
		return w.state(words[3])
	case len(words) == 5 && strings.HasPrefix(request, "show stat ") && words[3] == "4":
		return w.stat(words[2], words[4])
	case len(words) > 2 && words[1] == "table":
		if !w.backends[words[2]] {
			return "No such table"
		}
		return w.clients.run(words)
	case request == haproxy.ShowBackends:
		return w.listBackends()
	case len(words) > 2 && words[1] == "backend", len(words) > 3 && words[2] == "be-removable":
		return w.changeBackend(words)
	case len(words) > 4 && strings.HasPrefix(request, "set server "):
		return w.set(words[2], words[3], words[4:])
	case len(words) > 2 && words[1] == "map":
		return w.maps.run(words)
	case len(words) == 3 && request == "del server "+words[2]:
		return w.remove(words[2])
	case len(words) > 3 && strings.HasPrefix(request, "add server "):
		return w.create(words[2], words[3], words)
	case len(words) == 4 && words[0] == "wait" && words[2] == "srv-removable":
		return w.wait(words[3])
	case len(words) == 3 && strings.HasPrefix(request, "enable health ") && w.servers[words[2]] != nil:
		return ""
	case len(words) == 3 && words[1] == "agent" && w.servers[words[2]] != nil:
		return w.servers[words[2]].setAgent(words[0] == "enable")
	}
	return "Unknown command. Please enter one of the following commands only :"
}

// create answers `add server` as HAProxy 3.2 does.
func (w *fakeWorker) create(name, address string, words []string) string {
	backend, server, full := strings.Cut(name, "/")
	switch {
	case !full:
		return "Require 'backend/server'."
	case !w.backends[backend]:
		return "No such backend."
	case w.servers[name] != nil:
		return "Already exists a server with the same name in backend."
	}
	w.add(backend, server, address, words)
	s := w.servers[name]
	s.admin, s.up, s.agent = forcedMaint, false, s.agent&^agentOn
	return "New server registered."
}

// remove answers `del server` as HAProxy 3.2 does.
func (w *fakeWorker) remove(name string) string {
	switch s := w.servers[name]; {
	case s == nil:
		return "No such server."
	case s.admin&forcedMaint == 0:
		return "Only servers in maintenance mode can be deleted."
	case s.sessions > 0:
		return "Server still has connections attached to it, cannot remove it."
	}
	delete(w.servers, name)
	w.names = slices.DeleteFunc(w.names, func(n string) bool { return n == name })
	return "Server deleted."
}

func (w *fakeWorker) wait(name string) string {
	switch s := w.servers[name]; {
	case s == nil || s.admin&forcedMaint == 0:
		return "Failed."
	case s.sessions > 0:
		return "Wait delay expired."
	}
	return "Done."
}

// has returns the servers of a backend, sorted by name.
func (w *fakeWorker) has(backend string) (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range w.names {
		if server, found := strings.CutPrefix(name, backend+"/"); found {
			names = append(names, server)
		}
	}
	slices.Sort(names)
	return names
}

func (w *fakeWorker) state(of string) string {
	out := "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord"
	var lines strings.Builder
	for i, name := range w.names {
		s, up := w.servers[name], 0
		if s.up {
			up = 2
		}
		backend, server, _ := strings.Cut(name, "/")
		if of != "" && of != backend {
			continue
		}
		fmt.Fprintf(&lines, "\n3 %s %d %s %s %d %d %d 1 0 1 0 0 14 %d 0 0 - %d -", backend, i+1, server, s.ip, up, s.admin, s.weight, s.agent, s.port)
	}
	return out + lines.String()
}

func (w *fakeWorker) stat(backend, id string) string {
	out := "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,type,addr,"
	n := 0
	for _, name := range w.names {
		server, found := strings.CutPrefix(name, backend+"/")
		if found {
			n++
		}
		if found && (id == "-1" || id == strconv.Itoa(n)) {
			s := w.servers[name]
			out += fmt.Sprintf("\n%s,%s,0,0,%d,0,,%d,0,0,,0,2,%s,", backend, server, s.sessions, s.total, netip.AddrPortFrom(s.ip, uint16(s.port)))
		}
	}
	return out
}

func (w *fakeWorker) set(name, verb string, values []string) string {
	backend, _, full := strings.Cut(name, "/")
	s := w.servers[name]
	switch {
	case !full:
		return "Require 'backend/server'."
	case !w.backends[backend]:
		return "No such backend."
	case s == nil:
		return "No such server."
	case verb == "addr":
		return s.setAddr(values)
	case verb == "state":
		return s.setState(values[0])
	case verb == "weight":
		number, percent := strings.CutSuffix(values[0], "%")
		n, err := strconv.Atoi(number)
		if err != nil || n > 256 {
			return "Absolute weight can only be between 0 and 256 inclusive."
		}
		if percent {
			n /= 100
		}
		s.weight = n
		return ""
	case verb == "agent":
		if s.agent&agentOn == 0 {
			return "agent checks are not enabled on this server."
		}
		return ""
	case verb == "health":
		if s.admin&forcedMaint == 0 {
			s.up = values[0] == "up"
		}
		return ""
	}
	return "'set server <srv>' only supports 'agent', 'health', 'state', 'weight', 'addr', 'fqdn' and 'check-port'."
}

func (s *fakeServer) setAddr(values []string) string {
	const by = " by 'stats socket command'"
	ip, err := netip.ParseAddr(values[0])
	if err != nil {
		return fmt.Sprintf("Invalid addr '%s'", values[0]) + by
	}
	reply := "no need to change the addr"
	if ip != s.ip {
		reply = fmt.Sprintf("IP changed from '%s' to '%s'", s.ip, ip)
		s.ip = ip
	}
	if len(values) < 3 {
		return reply + by
	}
	from := strconv.Itoa(s.port)
	if s.port == 0 {
		from = "+0"
	}
	switch port, err := strconv.Atoi(values[2]); {
	case err != nil:
		reply += fmt.Sprintf(", problem converting port '%s' to an int", values[2])
	case port == s.port:
		reply += ", no need to change the port"
	default:
		reply += fmt.Sprintf(", port changed from '%s' to '%d'", from, port)
		s.port = port
	}
	return reply + by
}

func (s *fakeServer) setAgent(on bool) string {
	switch {
	case !on:
		s.agent &^= agentOn
	case s.agent&agentThere == 0:
		return "Agent was not configured on this server, cannot enable."
	default:
		s.agent |= agentOn
	}
	return ""
}

func (s *fakeServer) setState(state string) string {
	out := s.admin&forcedMaint != 0
	switch haproxy.Admin(state) {
	case haproxy.Ready:
		s.admin &^= forcedMaint | forcedDrain
		s.up = s.up || out
	case haproxy.Drain:
		s.admin = s.admin&^forcedMaint | forcedDrain
		s.up = s.up || out
	case haproxy.Maint:
		s.admin = s.admin&^forcedDrain | forcedMaint
		s.up = false
		s.sessions, s.late = s.sessions+s.late, 0
	default:
		return "'set server <srv> state' expects 'ready', 'drain' and 'maint'."
	}
	return ""
}

// do changes the worker without going through the controller.
func (w *fakeWorker) do(requests ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range requests {
		if reply := w.run(r); strings.HasPrefix(reply, "No such") {
			panic(r + ": " + reply)
		}
	}
}

func (w *fakeWorker) setSessions(server string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[server].sessions = n
}

// setTotal sets how many sessions a server has had.
func (w *fakeWorker) setTotal(server string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[server].total = n
}

// lateSession makes a session begin on a server just before it goes to maint.
func (w *fakeWorker) lateSession(server string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[server].late++
}

func (w *fakeWorker) weight(server string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.servers[server].weight
}

// refuse gives n requests that contain part an unexpected reply.
func (w *fakeWorker) refuse(part string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused, w.refusals = part, n
}

// stopAnswering makes the worker hang until unblock is called: connections of that time
// get no reply. With executes it still executes commands.
func (w *fakeWorker) stopAnswering(executes bool) (unblock func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	hang := make(chan struct{})
	w.hang, w.executes = hang, executes
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.hang = nil
		close(hang)
	}
}

// hanging returns how many connections got no reply so far.
func (w *fakeWorker) hanging() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hung
}

// changes returns the writes that changed something, in order.
func (w *fakeWorker) changes() (writes [][]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, requests := range w.writes {
		if !strings.HasPrefix(requests[0], "show ") {
			writes = append(writes, requests)
		}
	}
	return writes
}

// asked counts the occurrences of a request.
func (w *fakeWorker) asked(request string) int {
	return w.count(func(r string) bool { return r == request })
}

// counted counts how often the sessions of a backend's servers were requested.
func (w *fakeWorker) counted(backend string) int {
	return w.count(func(r string) bool { return strings.HasPrefix(r, "show stat "+backend+" 4 ") })
}

func (w *fakeWorker) count(is func(request string) bool) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, requests := range w.writes {
		for _, r := range requests {
			if is(r) {
				n++
			}
		}
	}
	return n
}

// serving returns the last number of each server's address in a backend, 0 if it is not
// in service.
func (w *fakeWorker) serving(backend string) (numbers []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range w.names {
		if s := w.servers[name]; strings.HasPrefix(name, backend+"/") {
			n := 0
			if s.admin&(forcedMaint|forcedDrain) == 0 {
				n = int(s.ip.As4()[3])
			}
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// show describes a server: its address and state, `down` if that is ready and the
// health check failed.
func (w *fakeWorker) show(server string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.servers[server]
	state := haproxy.Ready
	switch {
	case s.admin&forcedMaint != 0:
		state = haproxy.Maint
	case s.admin&forcedDrain != 0:
		state = haproxy.Drain
	case !s.up:
		state = "down"
	}
	return fmt.Sprintf("%s %s", net.JoinHostPort(s.ip.String(), strconv.Itoa(s.port)), state)
}

func recorded(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFakeAnswersLikeHAProxy(t *testing.T) {
	w := newFakeWorker(22930, []byte("backend web\n server-template web 1-2 0.0.0.0:0 disabled\n server web3 [::1]:9001\n server-template web 4-6 0.0.0.0:0 disabled\n"))
	for exchange := range strings.SplitSeq("\n"+recorded(t, "../haproxy/testdata/2.2/replies.txt"), "\n> ") {
		request, reply, _ := strings.Cut(exchange, "\n")
		if request == "" {
			continue
		}
		if got, want := w.answer(request+"\n"), strings.TrimSuffix(reply, "\n")+"\n"; strings.TrimRight(got, "\n") != strings.TrimRight(want, "\n") {
			t.Errorf("%s: %q, HAProxy answered %q", request, got, want)
		}
	}
	parse := func(text string) haproxy.ServersState {
		state, err := haproxy.ParseServersState(strings.TrimRight(text, "\n") + "\n")
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	if diff := cmp.Diff(parse(recorded(t, "../haproxy/testdata/2.2/state.txt")), parse(w.answer("show servers state\n")), cmpAddr); diff != "" {
		t.Errorf("show servers state: -HAProxy +fake\n%s", diff)
	}
	var servers []haproxy.Stats
	lines := haproxy.NewStatsLines(func(s haproxy.Stats) { servers = append(servers, s) })
	for line := range strings.Lines(strings.TrimRight(w.answer("show stat web 4 -1\n"), "\n")) {
		if err := lines.Take([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if len(servers) != 6 {
		t.Errorf("show stat: %v", servers)
	}
}
