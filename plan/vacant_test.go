package plan

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// An address is not vacant while a process listens on it, even one that would share it.
func TestVacant(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			sharing := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
				if err := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); err != nil {
					return err
				}
				return err
			}}
			listener, err := sharing.Listen(context.Background(), network, map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network])
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			_, port, err := net.SplitHostPort(listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			everywhere := fmt.Sprintf("frontend f\n    bind %s:%s\n", map[string]string{"tcp4": "*", "tcp6": "ipv6@"}[network], port)
			for _, config := range []string{everywhere, "frontend f\n    bind " + listener.Addr().String() + "\n"} {
				if err := Vacant(Listens([]byte(config)), nil); err == nil || !strings.Contains(err.Error(), port+": address in use") {
					t.Errorf("%s: %v", config, err)
				}
			}
			for _, apart := range []string{"interface eth1", "namespace blue"} {
				if err := Vacant(Listens([]byte(strings.TrimSuffix(everywhere, "\n")+" "+apart+"\n")), nil); err != nil {
					t.Errorf("%s: %v", apart, err)
				}
			}
			// An established connection keeps the address, and nobody listens there.
			client, err := net.Dial(network, listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			server, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if err := listener.Close(); err != nil {
				t.Fatal(err)
			}
			if err := Vacant(Listens([]byte(everywhere)), nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// Other problems of an address are HAProxy's to report.
func TestVacantReportsOnlyAddressesInUse(t *testing.T) {
	if err := Vacant(Listens([]byte("frontend f\n    bind 192.0.2.1:80\n    bind /run/f.sock\n    bind :0\n")), nil); err != nil {
		t.Error(err)
	}
}

// Where HAProxy listens already is not asked for: its own sockets would be in the way.
func TestVacantLeavesOutOwnAddresses(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	added := []Listen{{Network: "tcp4", Addr: "127.0.0.1:" + port}}
	for own, vacant := range map[string]bool{
		"127.0.0.1:" + port: true, ":" + port: true, "[::]:" + port: true,
		"127.0.0.2:" + port: false, "127.0.0.1:1": false, "[::1]:" + port: false,
	} {
		if err := Vacant(added, []Listen{{Network: "tcp4", Addr: own}}); (err == nil) != vacant {
			t.Errorf("beside %s: %v", own, err)
		}
	}
}
