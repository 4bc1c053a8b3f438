package hactl

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// command is all that may be sent because of what a worker replied.
var command = regexp.MustCompile(`^set server web/web[0-9]{1,2} (addr [0-9a-f.:]+ port [0-9]{1,5}|state (ready|drain|maint)|weight ([0-9]{1,3}|0%|100%)|health down)$`)

// FuzzReplies checks what becomes of replies, whatever HAProxy says: nothing of
// their text gets into a command, and what is told of them is one short line.
func FuzzReplies(f *testing.F) {
	f.Add("1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_port srv_uweight srv_iweight\n3 web 1 web1 ::1 2 0 80 1 1\n")
	f.Add("# pxname,svname,qcur,qmax,scur\nweb,web1,0,0,1\n")
	f.Add("Pid: 12\nDroppedLogs: 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		state, err := ParseServersState(text)
		oneLine(t, err)
		if err == nil {
			checkCommands(t, state)
		}
		sessions, err := ParseSessions(text)
		oneLine(t, err)
		if err == nil && sessions == nil {
			t.Error("no sessions and no error")
		}
		if pid, err := ParsePID(text); err != nil {
			oneLine(t, err)
		} else {
			oneLine(t, answeredBy(pid+1, text))
		}
		_, err = ParseDroppedLogs(text)
		oneLine(t, err)
		for _, verb := range []string{"addr", "state", "weight"} {
			oneLine(t, Command{"web/web1", verb, "ready"}.Confirm(text))
		}
	})
}

// checkCommands lets a worker have these servers, an operator be the one who made
// them so, and a daemon that starts find them, and looks at what is sent then.
func checkCommands(t *testing.T, state ServersState) {
	t.Helper()
	recalled := recollect([]ServersState{state})["web"]
	for _, actual := range state["web"] {
		if actual.Addr.Addr().Zone() != "" || actual.Addr.IsValid() && actual.Addr.Port() == 0 {
			t.Errorf("address %v", actual.Addr)
		}
		wants := []Slot{
			{Addr: addr1, Used: true, Operator: actual.Admin, Weight: actual.Weight, Down: actual.Down},
			{Addr: actual.Addr, Used: actual.Addr.IsValid(), Operator: Drain},
			{Addr: actual.Addr},
			recalled[actual.Addr],
		}
		wants[3].Addr, wants[3].Used = addr2, true
		if wants[0].Operator == Ready {
			wants[0].Operator = ""
		}
		g := testGroup(testBackend(), wants...)
		for _, believed := range []Server{actual, {Admin: Maint}} {
			off, on := diff(g, slices.Repeat([]Server{believed}, len(wants)))
			for _, c := range commands(slices.Concat(off, on)) {
				if !command.MatchString(c) {
					t.Errorf("command %q", c)
				}
			}
		}
		if text := wants[0].operator(); strings.ContainsFunc(text, unicode.IsControl) || len(text) > 40 {
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

// FuzzReadReplies checks how what comes from a socket is parted into replies.
func FuzzReadReplies(f *testing.F) {
	f.Add("\n", 1)
	f.Add("Pid: 1\nName: x\n\n\n", 2)
	f.Add("no end", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = 1 + n&15
		replies, err := readReplies(strings.NewReader(text), n)
		if err != nil {
			oneLine(t, err)
			return
		}
		if len(replies) != n {
			t.Fatalf("%d replies of %d", len(replies), n)
		}
		again := ""
		for _, reply := range replies {
			if strings.HasPrefix(reply, "\n") || strings.Contains(reply, "\n\n") {
				t.Errorf("an empty line in %q", reply)
			}
			if again += reply + "\n"; reply != "" {
				again += "\n"
			}
		}
		if !strings.HasPrefix(text, again) {
			t.Errorf("%q became %q", text, replies)
		}
	})
}
