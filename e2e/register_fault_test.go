package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// expires waits until ZooKeeper has ended a session.
func expires(s *stage, z *rig.ZooKeeper, session int64) {
	s.t.Helper()
	s.eventually("the session expires", func() error {
		sessions, err := z.FourLetter("dump")
		if err == nil && strings.Contains(sessions, fmt.Sprintf("0x%x", session)) {
			err = errors.New(sessions)
		}
		return err
	})
}

// The fast restart: the node of a registrar that was killed is still there when the next
// one starts. It must not vanish when the old session expires, nor for a moment before.
func TestRegistrarThatIsKilledAndRestarted(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.unregistered(front)
		sidecar := wrapping{flags: s.registering(front, a.Addr(), "--session-timeout", "10s", "--check", "http://"+a.Addr()+"/probe.jsp")}
		first := startWrapper(t, sidecar)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		missing := s.absences(front, a.Addr())
		before := s.owner(front, a.Addr())
		first.Kill()
		second := startWrapper(t, sidecar)
		second.says("registered, replacing the node of another session")
		expires(s, shared.zookeeper, before)
		if now := s.owner(front, a.Addr()); now == 0 || now == before {
			t.Errorf("the owner is %#x, was %#x", now, before)
		}
		s.serves(front, a)
		if d := missing(); d > 0 {
			t.Errorf("the node was missing for %v", d)
		}
		s.lost(load)
		// Without another one, the node goes with the session.
		second.Kill()
		s.present(front)
		s.serves(front)
		s.stopped()
	})
}

func TestCommandOfKilledWrapperStops(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	w := startWrapper(t, wrapping{
		flags:   s.registering(front, "127.0.0.1:1", "--check", "none", "--session-timeout", "1s"),
		command: []string{"sh", "-c", `trap "echo stopped >stopped; exit" TERM; echo ready; while :; do sleep 0.05; done`},
	})
	w.says("ready")
	below, err := w.Descendants()
	if err != nil || len(below) == 0 {
		t.Fatalf("descendants %v, %v", below, err)
	}
	s.present(front, "127.0.0.1:1")
	w.Kill()
	s.eventually("the command stops", func() error {
		if err := syscall.Kill(below[0].PID, 0); err == nil {
			return fmt.Errorf("%v runs", below[0])
		}
		return nil
	})
	s.present(front)
}

func TestRegistrationWhileZooKeeperIsAway(t *testing.T) {
	z := ownZooKeeper(t, rig.ZooKeeperOptions{})
	s := registrations(t, z)
	const addr = "127.0.0.1:1"
	flags := s.registering(front, addr, "--check", "none", "--drain", "0s")
	kept, lost := startWrapper(t, wrapping{flags: append(flags, "--session-timeout", "30s")}), (*wrapper)(nil)
	s.present(front, addr)
	before := s.owner(front, addr)

	if err := z.Kill(); err != nil {
		t.Fatal(err)
	}
	kept.says("disconnected from ZooKeeper, a registration lasts until the session expires")
	// One that starts now runs its command all the same, and stops when it is told to.
	lost = startWrapper(t, wrapping{flags: s.registering(base, addr, "--check", "none", "--drain", "0s"), command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
	lost.says("ready")
	lost.says("check passed, registering")
	lost.send(sigterm)
	lost.says("cannot deregister, ZooKeeper does not answer")
	lost.ends(128 + int(sigterm))
	if err := z.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.present(front, addr)
	if now := s.owner(front, addr); now != before {
		t.Errorf("the session %#x was replaced by %#x", before, now)
	}
	kept.send(sigterm)
	kept.ends(0)
	s.present(front)
}

// A registrar that is frozen for longer than its session registers again.
func TestExpiredSessionRegistersAgain(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	const addr = "127.0.0.1:1"
	w := startWrapper(t, wrapping{flags: s.registering(front, addr, "--check", "none", "--drain", "0s", "--session-timeout", "1s")})
	s.present(front, addr)
	before := s.owner(front, addr)
	w.send(syscall.SIGSTOP)
	s.present(front)
	w.send(syscall.SIGCONT)
	s.present(front, addr)
	if now := s.owner(front, addr); now == before {
		t.Errorf("the session is still %#x", now)
	}
	w.says("session expired, the registration is gone")
	w.send(sigterm)
	w.ends(0)
	s.present(front)
}

// Somebody deletes the node: it is created again.
func TestDeletedRegistrationIsCreatedAgain(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	const addr = "127.0.0.1:1"
	w := startWrapper(t, wrapping{flags: s.registering(front, addr, "--check", "none", "--drain", "0s")})
	s.present(front, addr)
	for range 3 {
		if err := s.registry.Unregister(s.node(front), addr); err != nil {
			t.Fatal(err)
		}
		s.present(front, addr)
	}
	w.send(sigterm)
	w.ends(0)
}

func TestAccessToRegistrations(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	for _, tt := range []struct {
		access string
		want   []string // scheme and permissions
	}{
		{"readable", []string{"digest 31", "world 1"}},
		{"owner", []string{"digest 31"}},
		{"open", []string{"world 31"}},
	} {
		group := "web-" + tt.access
		w := startWrapper(t, wrapping{
			flags: s.registering(group, "127.0.0.1:1", "--check", "none", "--drain", "0s", "--access", tt.access),
			env:   []string{"ZK_AUTH=digest:app:" + canary}, command: []string{"sh", "-c", "env; exec sleep 1000"},
		})
		w.says("msg=registered ")
		for _, node := range []string{s.node(group), s.node(group) + "/127.0.0.1:1"} {
			if err := s.registry.Conn().AddAuth("digest", []byte("app:"+canary)); err != nil {
				t.Fatal(err)
			}
			acl, _, err := s.registry.Conn().GetACL(node)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range acl {
				got = append(got, fmt.Sprint(a.Scheme, " ", a.Perms))
			}
			if strings.Join(got, ", ") != strings.Join(tt.want, ", ") {
				t.Errorf("%s: %s has %v, want %v", tt.access, node, got, tt.want)
			}
		}
		w.send(sigterm)
		w.ends(128 + int(sigterm))
		if w.count(canary) > 0 {
			t.Errorf("the password is in the output, or in the command's environment:\n%s", w.Output())
		}
	}
}

func TestDeniedRegistrationSaysWhatToDo(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	if err := s.registry.Ensure(s.node(front)); err != nil {
		t.Fatal(err)
	}
	s.allow(front, zk.WorldACL(zk.PermRead))
	w := startWrapper(t, wrapping{flags: s.registering(front, "127.0.0.1:1", "--check", "none", "--drain", "0s")})
	w.says("grant create and delete on its parent")
	w.send(sigterm)
	w.ends(0)
}

func TestRegistrationOverTLS(t *testing.T) {
	t.Parallel()
	server := startTLSServer(t, rig.ZooKeeperTLS{})
	s := newStage(t, rig.HAProxy{}, func(c *rig.SeedConfig) { c.ZKAddr = server.Addr() })
	s.use(server.Connect(t.Context(), patience))
	w := startWrapper(t, wrapping{flags: s.registering(front, "127.0.0.1:1", "--check", "none", "--drain", "0s", "--zk-tls-ca", server.Authority.File)})
	s.present(front, "127.0.0.1:1")
	w.send(sigterm)
	w.ends(0)
	s.present(front)
}

// As process 1, or as a plain process, the wrapper reaps what its command leaves behind,
// and exits with the command's code.
func TestWrapperReapsOrphans(t *testing.T) {
	for _, tt := range []struct {
		name  string
		alone bool
	}{{"PID 1", true}, {"a plain process", false}} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.alone {
				needs.Namespaces(t)
			}
			s := registrations(t, shared.zookeeper)
			w := startWrapper(t, wrapping{
				alone: tt.alone, flags: s.registering(front, "127.0.0.1:1", "--check", "none", "--drain", "0s"),
				command: []string{"sh", "-c", `i=0; while [ $i -lt 100 ]; do (sh -c : &); i=$((i+1)); done; trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done`},
			})
			w.says("ready")
			s.present(front, "127.0.0.1:1")
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.PID()))
			if err != nil {
				t.Fatal(err)
			}
			if first := strings.Contains(string(status), fmt.Sprintf("\nNSpid:\t%d\t1\n", w.PID())); first != tt.alone {
				t.Errorf("it is PID 1: %t\n%s", first, status)
			}
			s.eventually("no zombie is left", func() error {
				all, err := w.Descendants()
				for _, p := range all {
					if p.Zombie() {
						err = errors.Join(err, fmt.Errorf("%v", p))
					}
				}
				return err
			})
			w.send(sigterm)
			w.ends(9)
		})
	}
}
