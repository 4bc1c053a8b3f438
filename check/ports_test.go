package check

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestRenderedListens(t *testing.T) {
	pl, rendered := samplePlan(t, sampleTemplate, v26)
	want := []listening{
		{proxy: "web", network: "tcp4", addr: ":8080", where: "web.listener_port"},
		{proxy: "web", network: "tcp4", addr: "127.0.0.1:81", where: "/etc/t", line: 8},
		{proxy: "web", network: "tcp4", addr: ":9000", where: "web.groups.web-a.listener_port"},
		{proxy: "web", network: "tcp4", addr: "0.0.0.0:20001", where: "web.admin_port"},
	}
	if diff := cmp.Diff(want, renderedListens(pl, rendered), cmp.AllowUnexported(listening{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestJudgeClashes(t *testing.T) {
	a := listening{proxy: "a", network: "tcp4", addr: ":80", where: "a.listener_port"}
	for _, test := range []struct {
		other   listening
		clashes bool
	}{
		{listening{proxy: "b", network: "tcp4", addr: ":80", where: "b"}, true},
		{listening{proxy: "b", network: "tcp4", addr: "127.0.0.1:80", where: "b"}, true},
		{listening{proxy: "b", network: "tcp4", addr: ":81", where: "b"}, false},
		{listening{proxy: "b", network: "tcp6", addr: ":80", where: "b"}, false},
		{listening{network: "tcp", addr: ":80", where: "HTTP_ADDR"}, true},
		{listening{proxy: "b", network: "tcp4", addr: ":80", where: "b", device: "eth1"}, false},
		{listening{proxy: "b", network: "tcp4", addr: ":80", where: "b", namespace: "blue"}, false},
		{listening{network: "tcp", addr: "odd", where: "HTTP_ADDR"}, false},
		{listening{proxy: "a", network: "tcp4", addr: "127.0.0.1:80", where: "a"}, false}, // as in `bind … process 2`
	} {
		found := judgeClashes([]listening{a, test.other})
		if (len(found) == 1) != test.clashes {
			t.Errorf("%+v: %+v", test.other, found)
		}
	}
	one := listening{proxy: "a", network: "tcp4", addr: "127.0.0.1:80"}
	two := listening{proxy: "b", network: "tcp4", addr: "127.0.0.2:80"}
	if found := judgeClashes([]listening{one, two}); len(found) > 0 {
		t.Errorf("two addresses: %+v", found)
	}
	one.device, two.device, two.addr = "eth1", "eth1", one.addr
	if found := judgeClashes([]listening{one, two}); len(found) != 1 {
		t.Errorf("one address of one interface: %+v", found)
	}
}

func TestCheckListen(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := listening{proxy: "a", network: "tcp4", addr: taken.Addr().String(), where: "a.listener_port"}
	found := checkListen(l)
	if len(found) != 1 || found[0].Severity != isError || found[0].Where != l.where || !strings.Contains(found[0].Text, "is in use") {
		t.Errorf("%+v", found)
	}
	for _, apart := range []listening{{network: "tcp4", addr: l.addr, device: "eth1"}, {network: "tcp4", addr: l.addr, namespace: "blue"}} {
		if found := checkListen(apart); len(found) > 0 {
			t.Errorf("an address that is apart: %+v", found)
		}
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	if found := checkListen(l); len(found) > 0 {
		t.Errorf("a free port: %+v", found)
	}
	l.addr = "192.0.2.1:80"
	if found := checkListen(l); len(found) != 1 || !strings.Contains(found[0].Remedy, "this machine") {
		t.Errorf("an address of elsewhere: %+v", found)
	}
	denied := fmt.Errorf("listen: %w", os.NewSyscallError("bind", unix.EACCES))
	if found := judgeListen(l, denied); len(found) != 1 || !strings.Contains(found[0].Remedy, "CAP_NET_BIND_SERVICE") {
		t.Errorf("a port for root: %+v", found)
	}
}
