package haproxy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMapDrift(t *testing.T) {
	m := routeMaps(Frame{ConfFile: "/c"}, []Backend{{Name: "web-a", Route: RoutePath}, {Name: "web", Route: RoutePath}})[0]
	for _, test := range []struct {
		name, reply      string
		missing, foreign []string
		commands         []string
	}{
		{"equal, in another order", "0x2 /web/ web\n0x1 /web-a/ web-a", nil, nil, nil},
		{"cleared", "", []string{"/web-a/ web-a", "/web/ web"}, nil, []string{"add map /c.path.map /web-a/ web-a", "add map /c.path.map /web/ web"}},
		{"another value", "0x1 /web-a/ web-a\n0x2 /web/ other", []string{"/web/ web"}, []string{"/web/ other"}, []string{"add map /c.path.map /web/ web", "del map /c.path.map #0x2"}},
		{"a second value", "0x1 /web-a/ web-a\n0x2 /web/ web\n0x3 /web/ other", nil, []string{"/web/ other"}, []string{"del map /c.path.map #0x3"}},
		{"an entry twice", "0x1 /web-a/ web-a\n0x2 /web/ web\n0x3 /web/ web", nil, []string{"/web/ web"}, []string{"del map /c.path.map #0x3"}},
		{"keys with anything", "0x1 /web-a/ web-a\n0x2 /web/ web\n0x55aF /a;b c\n0xab /a;clear map #0 c d", nil, nil, nil},
		{"text", "Unknown map identifier. Please use #<id> or <file>.", nil, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			drift, err := m.Compare(test.reply)
			if wrong := strings.Contains(test.reply, "0x55aF") || test.name == "text"; (err != nil) != wrong {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]string{test.missing, test.foreign, test.commands}, [][]string{drift.Missing, drift.Foreign, drift.Commands()}); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if drift.Any() != (len(test.commands) > 0) {
				t.Error(drift.Any())
			}
		})
	}
}

func TestMapRepairIsConfirmed(t *testing.T) {
	m := routeMaps(Frame{ConfFile: "/c"}, []Backend{{Name: "web", Route: RoutePath}})[0]
	drift, err := m.Compare("0x2 /web/ other")
	if err != nil {
		t.Fatal(err)
	}
	for reply, good := range map[string]bool{"": true, "Key not found.": true, "Permission denied": false} {
		if err := drift.ConfirmRepair([]string{"", reply}); (err == nil) != good {
			t.Errorf("%q: %v", reply, err)
		}
	}
}

func FuzzMapCompare(f *testing.F) {
	f.Add("0x55c0f1cb1b30 /web/ web\n0x7f279404ef10 /web/ web-admin\n")
	f.Add("0x1 /a;clear map #0 b\nUnknown map identifier. Please use #<id> or <file>.")
	m := routeMaps(Frame{ConfFile: "/c"}, []Backend{{Name: "web-a", Route: RoutePath}, {Name: "web", Route: RoutePath}})[0]
	f.Fuzz(func(t *testing.T, reply string) {
		drift, err := m.Compare(reply)
		if err != nil {
			if len(err.Error()) > 1000 || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q", err)
			}
			return
		}
		for _, c := range drift.Commands() {
			if strings.ContainsAny(c, ";\n\\") || len(c) > 100 {
				t.Errorf("command %q", c)
			}
		}
	})
}
