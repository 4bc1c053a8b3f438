package supervisor

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestNearness(t *testing.T) {
	here := whereabouts{mount: "mnt:[1]", cgroup: "0::/service\n"}
	for _, test := range []struct {
		name  string
		there whereabouts
		want  bool
	}{
		{"beside us", here, true},
		{"another start of the service", whereabouts{mount: "mnt:[2]", cgroup: here.cgroup}, true},
		{"it changed its user", whereabouts{cgroup: here.cgroup}, true},
		{"started by hand", whereabouts{mount: here.mount, cgroup: "0::/login\n"}, true},
		{"another service", whereabouts{mount: "mnt:[2]", cgroup: "0::/other\n"}, false},
		{"a container", whereabouts{mount: "mnt:[2]", cgroup: "0::/docker\n", nested: true}, false},
		{"a container without a cgroup of its own", whereabouts{mount: "mnt:[2]", cgroup: here.cgroup, nested: true}, false},
		{"it has ended", whereabouts{}, false},
	} {
		if got := here.near(test.there); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
	if (whereabouts{}).near(whereabouts{}) {
		t.Error("what is not known is near")
	}
}

// A process in namespaces as those of a container is not near, wherever its cgroup is.
func TestContainerIsNotNear(t *testing.T) {
	inside := exec.CommandContext(t.Context(), "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", "cut -d ' ' -f 1 /proc/self/stat; read x || :")
	in, err := inside.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := inside.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := inside.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	child, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", inside.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	here, err := locate("self")
	if err != nil {
		t.Fatal(err)
	}
	there, err := locate(strings.TrimSpace(string(child)))
	if err != nil {
		t.Fatal(err)
	}
	if here.mount == "" || here.nested || !there.nested || here.near(there) {
		t.Errorf("here %+v, there %+v", here, there)
	}
	in.Close()
	if err := inside.Wait(); err != nil {
		t.Error(err)
	}
}
