package e2e

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// hole returns a loopback address at which connections are not answered, like that of a
// vanished host: the queue of its listener is full.
func hole(t *testing.T) string {
	t.Helper()
	open := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	listener := open()
	err := errors.Join(unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(listener, 0))
	if err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(listener)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := unix.Connect(open(), at); err != nil && !errors.Is(err, unix.EINPROGRESS) {
			t.Fatal(err)
		}
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(at.(*unix.SockaddrInet4).Port))
	if conn, err := net.DialTimeout("tcp", addr, 200*time.Millisecond); err == nil {
		conn.Close()
		t.Fatalf("%s answers", addr)
	}
	return addr
}

// refusing returns a loopback address where nothing listens.
func refusing(t *testing.T) string {
	t.Helper()
	port, err := rig.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// An instance that dies without deregistering, before a health check fails, fails no
// request and delays requests by at most a second.
func TestVanishedInstanceCostsLittle(t *testing.T) {
	inTurn(t, func(t *testing.T, h rig.HAProxy) {
		for name, vanished := range map[string]func() string{
			"its host does not answer": func() string { return hole(t) },
			"its port refuses":         func() string { return refusing(t) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, h, nil)
				s.connect()
				listener := s.port()
				s.run("ZK_ADDR="+shared.zookeeper.Addr(), "ZK_PATH="+s.config.ZKPath, "EXEC="+h.Path, "ZK_GROUPS=web", "DEFAULT_BACKEND=web",
					fmt.Sprintf("LISTENER_PORT=%d", listener), fmt.Sprintf("ADMIN_PORT=%d", s.port()))
				s.ready()
				s.apps(3, "web")
				s.eventually("three instances serve", func() error {
					return s.counts(3, "haproxyzk_slots", `state="used"`)
				})
				load, err := rig.NewLoad(rig.LoadOptions{Addr: fmt.Sprintf("127.0.0.1:%d", listener), Targets: []rig.Target{{Path: "/x", App: "web"}}, KeepAlive: 6, Fresh: 6, MaxTime: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				load.Start(t.Context())
				defer load.Stop()
				gone := vanished()
				if err := s.registry.Register(s.node("web"), gone); err != nil {
					t.Fatal(err)
				}
				s.eventually("health checks have missed it", func() error {
					servers, err := rig.ServersState(filepath.Join(s.home, "run", "default.1.sock"))
					if !slices.ContainsFunc(servers, func(r rig.Server) bool { return r.Endpoint() == gone && r.OpState == 0 && r.AdminState&1 == 0 }) {
						return fmt.Errorf("%s is not down: %w", gone, err)
					}
					return nil
				})
				result := load.Stop()
				if result.Failures > 0 || result.Requests == 0 || result.MaxLatency > 2500*time.Millisecond {
					t.Errorf("%s", result)
				}
				t.Logf("%s", result)
				s.stopped()
			})
		}
	})
}
