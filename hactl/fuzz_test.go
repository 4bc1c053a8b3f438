package hactl

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// command matches every command that may be sent in response to a worker's reply.
var command = regexp.MustCompile(`^set server web/web[0-9]{1,2} (addr [0-9a-f.:]+ port [0-9]{1,5}|state (ready|drain|maint)|weight ([0-9]{1,3}|0%|100%)|health down)$`)

// FuzzReplies checks that no text of HAProxy's replies gets into a command, and that
// errors about them are one short line.
func FuzzReplies(f *testing.F) {
	f.Add("1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_port srv_uweight srv_iweight\n3 web 1 web1 ::1 2 0 80 1 1\n")
	f.Add("# pxname,svname,qcur,qmax,scur\nweb,web1,0,0,1\n")
	f.Add("Pid: 12\nDroppedLogs: 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		state, err := haproxy.ParseServersState(text)
		oneLine(t, err)
		if err == nil {
			checkCommands(t, state)
		}
		lines := haproxy.NewStatsLines(func(haproxy.Stats) {})
		for line := range strings.Lines(text) {
			oneLine(t, lines.Take([]byte(line)))
		}
		if pid, err := haproxy.ParsePID(text); err != nil {
			oneLine(t, err)
		} else {
			oneLine(t, haproxy.AnsweredBy(pid+1, text))
		}
		_, err = haproxy.ParseDroppedLogs(text)
		oneLine(t, err)
		if version, err := haproxy.ParseRunningVersion(text); err != nil {
			oneLine(t, err)
		} else if len(version) > 73 || strings.ContainsFunc(version, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			t.Errorf("version %q", version)
		}
		for _, verb := range []string{"addr", "state", "weight"} {
			oneLine(t, haproxy.Command{Server: "web/web1", Verb: verb, Value: "ready"}.Confirm(text))
		}
	})
}

// checkCommands checks the commands sent to a worker with these servers, whether they
// are an operator's changes or found at the daemon's start.
func checkCommands(t *testing.T, state haproxy.ServersState) {
	t.Helper()
	recalled := recollect([]haproxy.ServersState{state})["web"]
	for _, actual := range state["web"] {
		if actual.Addr.Addr().Zone() != "" || actual.Addr.IsValid() && actual.Addr.Port() == 0 {
			t.Errorf("address %v", actual.Addr)
		}
		wants := []slots.Slot{
			{Addr: addr1, Used: true, Operator: actual.Admin, Weight: actual.Weight, Down: actual.Down},
			{Addr: actual.Addr, Used: actual.Addr.IsValid(), Operator: haproxy.Drain},
			{Addr: actual.Addr},
			recalled[actual.Addr],
		}
		wants[3].Addr, wants[3].Used = addr2, true
		if wants[0].Operator == haproxy.Ready {
			wants[0].Operator = ""
		}
		backend := testBackend()
		for _, known := range []haproxy.Server{actual, {Admin: haproxy.Maint}} {
			off, on := slots.Diff(slots.Fixed(&backend), wants, slices.Repeat([]haproxy.Server{known}, len(wants)))
			for _, op := range slices.Concat(off, on) {
				for _, c := range op.Commands {
					if !command.MatchString(c.String()) {
						t.Errorf("command %q", c)
					}
				}
			}
		}
		if text := wants[0].Override(); strings.ContainsFunc(text, unicode.IsControl) || len(text) > 40 {
			t.Errorf("operator %q", text)
		}
	}
}

func oneLine(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if text := err.Error(); len(text) > 3000 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("error %q", text)
	}
}
