package haproxy

import (
	"slices"
	"strings"
	"testing"
)

var v30, v31, v32, v33 = Version{3, 0, "3.0.11"}, Version{3, 1, "3.1.0"}, Version{3, 2, "3.2.26"}, Version{3, 3, "3.3.0"}

// What HAProxy 3.0, 3.2 and 3.4 do was measured; 3.1 is as 3.2, and 3.3 as 3.4.
func TestSectionTraps(t *testing.T) {
	const accepts, notes, complains, rejects = "accepts", "notes", "complains", "rejects"
	versions := []Version{v20, v30, v31, v32, v33, v34}
	always := func(does string) [6]string { return [6]string{does, does, does, does, does, does} }
	since31 := [6]string{accepts, accepts, complains, complains, complains, complains}
	removed33 := [6]string{accepts, accepts, complains, complains, rejects, rejects}
	random := [6]string{accepts, accepts, accepts, accepts, notes, notes}
	servers := "    server a 127.0.0.1:1\n    server b 127.0.0.1:2\n"
	after := goodTemplate("", "", "")
	first := strings.Count(after, "\n") + 1
	lua := goodTemplate("    lua-load /etc/mailers.lua", "", "")
	for _, test := range []struct {
		name, template string
		line           int
		want           [6]string
		remedy         string
	}{
		{"a backend named as a frontend", after + "backend public\n    server a 127.0.0.1:1\n", first, removed33, "rename the frontend"},
		{"a listen section named as a frontend", after + "listen public\n    bind :1\n    timeout client 1s\n", first, always(rejects), "rename one of them"},
		{"two backends of one name", after + "backend x\nbackend x\n", first + 1, always(rejects), "rename one of them"},
		{"a cache named as a frontend", after + "cache public\n", 0, always(accepts), ""},
		{"a program", after + "program p\n    command /bin/true\n", first, always(rejects), "remove the section"},
		{"mails", after + "backend x\n    email-alert mailers m\n    email-alert to a@b\n", first + 1, since31, "mailers.lua"},
		{"mails in the defaults", goodTemplate("", "    email-alert mailers m", ""), 13, since31, "mailers.lua"},
		{"mails by Lua", lua + "backend x\n    email-alert mailers m\n", 0, always(accepts), ""},
		{"mailers without mails", after + "mailers m\n    mailer a 127.0.0.1:25\n", 0, always(accepts), ""},
		{"no balance", after + "backend x\n" + servers, first, random, "balance roundrobin"},
		{"no balance for a range", after + "listen x\n    bind :1\n    server-template a 2 127.0.0.1:1\n", first, random, "balance roundrobin"},
		{"balance", after + "backend x\n    balance source\n" + servers, 0, always(accepts), ""},
		{"balance in the defaults", goodTemplate("", "    balance leastconn", "") + "backend x\n" + servers, 0, always(accepts), ""},
		{"one server", after + "backend x\n    server a 127.0.0.1:1\n    server b 127.0.0.1:2 backup\n    server-template c 3-3 127.0.0.1:3 backup\n", 0, always(accepts), ""},
		{"a range of one server", after + "backend x\n    server-template c 3-3 127.0.0.1:3\n", 0, always(accepts), ""},
		{"no server", after + "backend x\n", 0, always(accepts), ""},
		{"dispatch", after + "backend x\n    dispatch 127.0.0.1:1\n" + servers, 0, always(accepts), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			template := parsed(t, test.template)
			for i, v := range versions {
				got := accepts
				traps := template.Traps(v)
				for _, trap := range traps {
					switch {
					case trap.Fatal:
						got = rejects
					case trap.Note:
						got = notes
					default:
						got = complains
					}
					if trap.Line != test.line || trap.Text == "" || !strings.Contains(trap.Remedy, test.remedy) || trap.End > 0 && trap.End != trap.Line+1 {
						t.Errorf("HAProxy %s: %+v", v, trap)
					}
				}
				if got != test.want[i] || len(traps) > 1 {
					t.Errorf("HAProxy %s %s it, want %s: %+v", v, got, test.want[i], traps)
				}
			}
		})
	}
}

// A group's own lines may send mails too; those of the defaults are traps of the template.
func TestMailsOfGroups(t *testing.T) {
	b := Backend{Name: "web", Mode: "http", Lines: []string{"timeout server 1m", "email-alert mailers m"}}
	template := parsed(t, goodTemplate("", "    email-alert mailers m", ""))
	for _, v := range []Version{v30, v32, v34} {
		var keys []string
		for _, trap := range template.GroupTraps(b, v) {
			keys = append(keys, trap.Key)
		}
		want := []string{"lines[1]"}
		if v == v30 {
			want = nil
		}
		if !slices.Equal(keys, want) {
			t.Errorf("HAProxy %s: %q, want %q", v, keys, want)
		}
	}
}

func TestRootTraps(t *testing.T) {
	for _, test := range []struct {
		name, global string
		version      Version
		remedy       string
	}{
		{"nothing", "", v34, "add `chroot /` and `uid 0` to confirm"},
		{"the user alone", "    user haproxy", v34, "add `chroot /` to confirm"},
		{"the uid alone", "    uid 1", v34, "add `chroot /` to confirm"},
		{"chroot alone", "    chroot auto", v34, "add `uid 0` to confirm"},
		{"both", "    user haproxy\n    chroot /var/lib/haproxy", v34, ""},
		{"what confirms it", "    uid 0\n    chroot /", v34, ""},
		{"earlier versions do not warn", "", v33, ""},
	} {
		traps := parsed(t, goodTemplate(test.global, "", "")).RootTraps(test.version)
		switch {
		case test.remedy == "" && len(traps) == 0:
		case len(traps) != 1 || test.remedy == "" || traps[0].Line != 1 || !traps[0].Note || !strings.HasPrefix(traps[0].Remedy, test.remedy):
			t.Errorf("%s: %+v", test.name, traps)
		}
	}
}

// The built-in templates need nothing that 3.3 removed, nor do they warn as root.
func TestBuiltinTemplatesFitLaterVersions(t *testing.T) {
	for _, v := range []Version{v32, v33, v34, {3, 5, "3.5.0"}} {
		for _, mode := range []string{"http", "tcp"} {
			template, err := Builtin{Mode: mode, Version: v, Root: true}.Template()
			if err != nil {
				t.Fatal(err)
			}
			if traps := append(template.Traps(v), template.RootTraps(v)...); len(traps) > 0 {
				t.Errorf("%s, HAProxy %s: %+v", mode, v, traps)
			}
		}
	}
}
