package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	reader     = "app"
	permission = "digest:" + reader + ":" + canary
)

// guard creates the groups' nodes, readable by the user app only.
func (s *stage) guard(groups ...string) {
	s.t.Helper()
	if err := s.registry.Conn().AddAuth("digest", []byte(reader+":"+canary)); err != nil {
		s.t.Fatal(err)
	}
	for _, group := range groups {
		if err := s.registry.Ensure(s.node(group)); err != nil {
			s.t.Fatal(err)
		}
		s.allow(group, zk.DigestACL(zk.PermAll, reader, canary))
	}
}

// allow sets the ACL of a group's node.
func (s *stage) allow(group string, acl []zk.ACL) {
	s.t.Helper()
	if _, err := s.registry.Conn().SetACL(s.node(group), acl, -1); err != nil {
		s.t.Fatal(err)
	}
}

// secretFile writes a file readable by the owner only.
func (s *stage) secretFile(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.home, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func TestGroupsReadableByOneUserOnly(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"session_timeout": "2s"} })
		s.connect()
		s.guard(front, base)
		a, b := s.app(front), s.app(base)

		s.start()
		s.eventually("it says what it may not read, and what to do", func() error {
			code, body := s.get("/readyz")
			want := fmt.Sprintf("connected, but no permission to read %s and 1 more (NoAuth): set zk.auth to a user with read permission", s.node(base))
			if code != http.StatusServiceUnavailable || !strings.Contains(body, want) {
				return fmt.Errorf("%d %s, want %s", code, body, want)
			}
			return nil
		})
		s.eventually("so does the log", func() error {
			for _, part := range []string{"cannot read path", s.node(front), "set zk.auth to a user with read permission"} {
				if !strings.Contains(s.daemon.Output(), part) {
					return fmt.Errorf("%q is not in it", part)
				}
			}
			return nil
		})
		s.serves(front)
		s.serves(base)
		code, found := s.findings(s.written(), "--online")
		wants(t, found, "error", "ngboss.groups."+front+".zk.path", s.node(front)+" could not be read")
		if code != 2 {
			t.Errorf("check --online: exit code %d", code)
		}

		// With the user from a file, by SIGHUP and without a restart of HAProxy.
		s.config.Extra["zk.auth_file"] = s.secretFile("secret", permission+"\n")
		if code, found := s.findings(s.written(), "--online"); code != 0 {
			t.Errorf("check --online with zk.auth_file: exit code %d, %v", code, found)
		}
		if err := s.daemon.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.serves(front, a)
		s.serves(base, b)
		s.ready()
		s.settled() // the previous generation knew no instance, and may still accept

		// The file's secret is read again on SIGHUP as well.
		load := s.load(through()...)
		s.secretFile("secret", "digest:"+reader+":wrong")
		if err := s.daemon.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.eventually("the new user is reported", func() error {
			if !strings.Contains(s.daemon.Output(), "grant read to the user of zk.auth") {
				return fmt.Errorf("nothing")
			}
			return nil
		})
		s.serves(front, a)
		s.secretFile("secret", permission)
		if err := s.daemon.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		c := s.app(front)
		s.serves(front, a, c)
		s.lost(load)
		s.secretStays()
	})
}

// TestUserFromTheEnvironment gives the secret in a variable, in a file that refers to
// one, and in its own file, across a lost session.
func TestUserFromTheEnvironment(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		z := ownZooKeeper(t, rig.ZooKeeperOptions{})
		for name, env := range map[string]func(s *stage) []string{
			"a variable": func(*stage) []string { return []string{"ZK_AUTH=" + permission} },
			"a file":     func(s *stage) []string { return []string{"ZK_AUTH_FILE=" + s.secretFile("secret", permission)} },
			"a mention":  nil,
		} {
			t.Run(name, func(t *testing.T) {
				s := newStage(t, h, func(c *rig.SeedConfig) { c.ZKAddr = z.Addr() })
				s.connect()
				s.guard(front, base)
				a := s.app(front)
				listener := s.port()
				if env != nil {
					s.config.Proxy = "default"
					s.run(append(env(s), "ZK_ADDR="+z.Addr(), "ZK_PATH="+s.config.ZKPath, "ZK_GROUPS="+front, "EXEC="+h.Path, "LOG_LEVEL=debug",
						fmt.Sprintf("LISTENER_PORT=%d", listener), fmt.Sprintf("ADMIN_PORT=%d", s.port()))...)
				} else {
					s.config.Extra = map[string]any{"zk.auth": "digest:${THE_USER}:${THE_PASSWORD}"}
					file := s.written()
					listener = s.config.ListenerPort
					s.run("CONFIG="+file, "LOG_LEVEL=debug", "THE_USER="+reader, "THE_PASSWORD="+canary)
				}
				s.ready()
				path := "/" + front
				if env == nil {
					path = "/"
				}
				s.eventually("it serves", func() error { return s.answersAt(listener, path, a) })

				// The next connection and the next session authenticate, too.
				if err := z.Kill(); err != nil {
					t.Fatal(err)
				}
				if err := z.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				b := s.app(front)
				s.eventually("it serves the new one", func() error { return s.answersAt(listener, path, b) })
				s.secretStays()
			})
		}
	})
}

// secretStays looks for the secret wherever it might leak, and stops.
func (s *stage) secretStays() {
	s.t.Helper()
	for _, path := range []string{"/", "/readyz", "/healthz", "/metrics"} {
		_, body := s.get(path)
		leaks(s.t, path, body)
	}
	s.processes()
	s.readable()
	s.stopped()
	leaks(s.t, "the output", s.daemon.Output())
}

// TestZooKeeperRejectsTheUser rejects the scheme: nothing is read, the reason is
// logged, and retries back off.
func TestZooKeeperRejectsTheUser(t *testing.T) {
	t.Parallel()
	z := ownZooKeeper(t, rig.ZooKeeperOptions{Lines: []string{"DigestAuthenticationProvider.enabled=false"}})
	h := shared.haproxies[0]
	s := newStage(t, h, func(c *rig.SeedConfig) {
		c.ZKAddr, c.Extra = z.Addr(), map[string]any{"zk.auth": permission}
	})
	s.start()
	s.eventually("it says why there is no session", func() error {
		code, body := s.get("/readyz")
		if code != http.StatusServiceUnavailable || !strings.Contains(body, "the server refuses zk.auth") {
			return fmt.Errorf("%d %s", code, body)
		}
		return nil
	})
	began := time.Now()
	s.stopped()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("SIGTERM took %v", took)
	}
	leaks(t, "the output", s.daemon.Output())
}
