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
				if err := Vacant([]byte(config)); err == nil || !strings.Contains(err.Error(), port+": address in use") {
					t.Errorf("%s: %v", config, err)
				}
			}
			for _, apart := range []string{"interface eth1", "namespace blue"} {
				if err := Vacant([]byte(strings.TrimSuffix(everywhere, "\n") + " " + apart + "\n")); err != nil {
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
			if err := Vacant([]byte(everywhere)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Other problems of an address are HAProxy's to report.
func TestVacantReportsOnlyAddressesInUse(t *testing.T) {
	if err := Vacant([]byte("frontend f\n    bind 192.0.2.1:80\n    bind /run/f.sock\n    bind :0\n")); err != nil {
		t.Error(err)
	}
}
