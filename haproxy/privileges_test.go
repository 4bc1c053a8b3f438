package haproxy

import "testing"

func TestUserIsFirstInGlobal(t *testing.T) {
	for _, test := range []struct{ global, name, uid string }{
		{"", "", ""},
		{"    user haproxy\n    group haproxy\n", "haproxy", ""},
		{"    group haproxy\n    uid 99\n    user other\n", "", "99"},
		{"    user \"haproxy\"\n", "haproxy", ""},
		{"    # user haproxy\n", "", ""},
		{"    user\n", "", ""},
	} {
		parsed, err := ParseTemplate("global\n" + test.global + "$sockets\ndefaults\n    user nobody\n$backend\n")
		if err != nil {
			t.Fatal(err)
		}
		if name, uid := parsed.User(); name != test.name || uid != test.uid {
			t.Errorf("%q: %q, %q", test.global, name, uid)
		}
	}
}

func TestMentionsIgnoresComments(t *testing.T) {
	parsed, err := ParseTemplate("global\n    log /run/web.log.sock local0\n    # log /run/old.log.sock local0\n$sockets\n$backend\n")
	if err != nil {
		t.Fatal(err)
	}
	if !parsed.Mentions("/run/web.log.sock") || parsed.Mentions("/run/old.log.sock") {
		t.Error("it does not find the log socket, or finds it in a comment")
	}
}
