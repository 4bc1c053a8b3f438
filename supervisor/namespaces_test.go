package supervisor

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
)

func TestSharesFilesWith(t *testing.T) {
	here := namespaces{mount: "mnt:[1]", cgroup: "0::/service\n"}
	for _, test := range []struct {
		name  string
		there namespaces
		want  bool
	}{
		{"beside us", here, true},
		{"another start of the service", namespaces{mount: "mnt:[2]", cgroup: here.cgroup}, true},
		{"it changed its user", namespaces{cgroup: here.cgroup}, true},
		{"started by hand", namespaces{mount: here.mount, cgroup: "0::/login\n"}, true},
		{"another service", namespaces{mount: "mnt:[2]", cgroup: "0::/other\n"}, false},
		{"a container", namespaces{mount: "mnt:[2]", cgroup: "0::/docker\n", nested: true}, false},
		{"a container with the cgroup of its host", namespaces{mount: "mnt:[2]", cgroup: here.cgroup, nested: true}, false},
		{"it has ended", namespaces{}, false},
	} {
		if got := here.sharesFilesWith(test.there); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
	if (namespaces{}).sharesFilesWith(namespaces{}) {
		t.Error("what is not known is near")
	}
}

// A process in namespaces like a container's shares no files, whatever its cgroup is.
func TestContainerDoesNotShareFiles(t *testing.T) {
	needs.Namespaces(t)
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
	here, err := namespacesOf("self")
	if err != nil {
		t.Fatal(err)
	}
	there, err := namespacesOf(strings.TrimSpace(string(child)))
	if err != nil {
		t.Fatal(err)
	}
	if here.mount == "" || here.nested || !there.nested || here.sharesFilesWith(there) {
		t.Errorf("here %+v, there %+v", here, there)
	}
	in.Close()
	if err := inside.Wait(); err != nil {
		t.Error(err)
	}
}
