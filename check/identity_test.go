package check

import (
	"os"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
)

func TestCheckIdentity(t *testing.T) {
	v34 := haproxy.Version{Major: 3, Minor: 4, Full: "3.4.0"}
	root := os.Geteuid() == 0
	either := func(is bool, yes, no string) string {
		if is {
			return yes
		}
		return no
	}
	for _, test := range []struct {
		name, global string
		version      haproxy.Version
		want         string // the severities
	}{
		{"nothing", "", v26, ""},
		{"nothing, as root", "", v34, either(plan.StaysRoot(), isNote, "")},
		{"confirmed", "uid 0\n chroot /", v34, either(root, "", isWarning+isError)},
		{"chroot auto", "chroot auto\n uid 0", v34, either(root, "", isError)},
		{"chroot auto is a name", "chroot auto", v26, isError},
		{"chroot", "chroot " + t.TempDir() + "\n uid 0", v34, either(root, "", isWarning+isError)},
		{"chroot", "chroot " + t.TempDir(), v26, either(root, "", isError)},
		{"chroot to nowhere", "chroot /nowhere\n uid 0", v34, either(root, isError, isError+isError)},
	} {
		pl, _ := samplePlan(t, "global\n "+test.global+"\n$sockets\n$backend\n", test.version)
		got := ""
		for _, f := range checkIdentity(pl) {
			got += f.Severity
			if f.Where != "/etc/t" || f.Line == 0 || f.Text == "" || f.Remedy == "" {
				t.Errorf("%s: %+v", test.name, f)
			}
		}
		if got != test.want {
			t.Errorf("%s, HAProxy %s: %q, want %q", test.name, test.version, got, test.want)
		}
	}
}
