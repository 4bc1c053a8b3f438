package haproxy

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseClientsOfEveryVersion(t *testing.T) {
	recorded := 0
	for _, dir := range versions(t) {
		if _, err := os.Stat(dir + "/clients.txt"); err != nil {
			continue // kept clients need not renew their connections there
		}
		recorded++
		got, err := ParseClients(golden(t, dir, "clients.txt"))
		if err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		if diff := cmp.Diff(Clients{Round: 1, Open: map[uint64]int{0: 2, 1: 1}}, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", dir, diff)
		}
		if old, all := got.OlderThan(1), got.OlderThan(2); old != 2 || all != 3 {
			t.Errorf("%s: %d connections before round 1, %d before round 2", dir, old, all)
		}
	}
	if recorded < 3 {
		t.Errorf("replies of %d versions", recorded)
	}
}

func TestUnexpectedClientsAreErrors(t *testing.T) {
	const header = "# table: haproxy-zk.clients, type: integer, size:1000, used:1\n"
	for _, text := range []string{
		"", "No such table", "# table: other, type: ip, size:1, used:0\n",
		header + "0x1: key=x use=0 exp=0 gpt0=0 conn_cur=0\n",
		header + "0x1: key=1 use=0 exp=0 conn_cur=0\n",
		header + "0x1: key=1 use=0 exp=0 gpt0=0 conn_cur=\n",
		header + "0x1: key=1 use=0 exp=0 gpt0=4294967296 conn_cur=0\n",
	} {
		if c, err := ParseClients(text); err == nil {
			t.Errorf("%q: %+v", text, c)
		}
	}
}

func TestRoundBeginsAfterEarlierOnes(t *testing.T) {
	for _, test := range []struct {
		name  string
		of    Clients
		round uint64
		want  []string
	}{
		{"the first", Clients{}, 1, []string{"set table haproxy-zk.clients key 0 data.gpt0 1"}},
		{"the second", Clients{Round: 1, Open: map[uint64]int{0: 1, 1: 2}}, 2, []string{
			"set table haproxy-zk.clients key 1 data.gpt0 1",
			"set table haproxy-zk.clients key 0 data.gpt0 2",
		}},
		{"after rounds without connections", Clients{Round: 7, Open: map[uint64]int{0: 0, 4: 0, 5: 1, 6: 0, 7: 0}}, 8, []string{
			"clear table haproxy-zk.clients key 4",
			"clear table haproxy-zk.clients key 6",
			"set table haproxy-zk.clients key 7 data.gpt0 1",
			"set table haproxy-zk.clients key 0 data.gpt0 8",
		}},
	} {
		if diff := cmp.Diff(test.want, test.of.Renew(test.round)); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.name, diff)
		}
	}
	if err := ConfirmRenewal([]string{"", ""}); err != nil {
		t.Error(err)
	}
	if err := ConfirmRenewal([]string{"", "Unable to allocate a new entry"}); err == nil || !strings.Contains(err.Error(), "allocate") {
		t.Errorf("a refusal: %v", err)
	}
}

// FuzzParseClients checks that no text of HAProxy's reply gets into a request.
func FuzzParseClients(f *testing.F) {
	f.Add("# table: haproxy-zk.clients, type: integer, size:1000, used:1\n0x1: key=1 use=0 exp=0 gpt0=0 conn_cur=0\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseClients(text)
		oneLine(t, err)
		for _, request := range c.Renew(c.Round + 1) {
			if strings.Trim(request, "abcdefghijklmnopqrstuvwxyz0123456789 -.") != "" {
				t.Errorf("request %q", request)
			}
		}
	})
}
