package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// Ten applications that register nowhere are restarted one after another, each by its
// wrapper, which is what deregisters them before they stop.
func TestRollingRestartOfWrappedApplications(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		var services []service
		var addrs []string
		var wrappers []*wrapper
		flags := []string{"--drain", "2s", "--session-timeout", "30s"}
		for range 10 {
			a := s.service(front)
			services, addrs = append(services, a), append(addrs, a.addr)
			wrappers = append(wrappers, s.wrapped(a, flags...))
		}
		slices.Sort(addrs)
		all := func() error { return s.compare(front, addrs) }
		s.patiently("all are registered", all)
		load, err := rig.NewLoad(rig.LoadOptions{
			Addr: s.config.Listener(), Targets: []rig.Target{{Path: "/", App: front}, {Path: "/slow?ms=300", App: front}}, KeepAlive: 6, Fresh: 4,
		})
		if err != nil {
			t.Fatal(err)
		}
		load.Start(t.Context())
		t.Cleanup(func() { load.Stop() })
		for i, a := range services {
			wrappers[i].send(sigterm)
			wrappers[i].ends(0)
			wrappers[i] = s.wrapped(a, flags...)
			s.patiently("it is registered again", all)
		}
		before := load.Result().Instances
		s.eventually("all are used again", func() error {
			for _, addr := range addrs {
				if load.Result().Instances[addr] == before[addr] {
					return fmt.Errorf("%s has answered nothing since", addr)
				}
			}
			return nil
		})
		t.Log(s.lost(load))
		s.stopped()
	})
}

func TestRegistrationFollowsTheCheck(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	a := s.service(front)
	w := s.wrapped(a, "--interval", "200ms", "--failures", "2", "--passes", "2")
	s.present(front, a.addr)
	w.send(syscall.SIGUSR1)
	w.says("service got user defined signal 1")
	s.present(front)
	w.says("check failed, deregistering until it passes")
	w.send(syscall.SIGUSR2)
	s.present(front, a.addr)
	w.says("check passes again, registering")
	w.send(sigterm)
	w.ends(0)
	s.present(front)
}

// An application that takes its time to start is registered when it works, not before.
func TestCheckThatDoesNotPassYet(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	a := s.service(front)
	binary, err := rig.BuildService(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := startWrapper(t, wrapping{
		flags: s.registering(front, a.addr), env: []string{"LISTEN=" + a.addr, "APP=web", "START_AFTER=2s"}, command: []string{binary},
	})
	w.says("check does not pass yet, waiting")
	if owner := s.owner(front, a.addr); owner != 0 {
		t.Errorf("it is registered by %#x before it listens", owner)
	}
	s.present(front, a.addr)
	w.send(sigterm)
	w.ends(0)
}

// The order of a stop: node, drain, signal, exit code.
func TestStopDeregistersBeforeTheCommandStops(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	const drain = 1500 * time.Millisecond
	w := startWrapper(t, wrapping{
		flags:   s.registering(front, "127.0.0.1:1", "--check", "none", "--drain", drain.String()),
		command: []string{"sh", "-c", `trap "echo the command stops; exit 7" TERM; while :; do sleep 0.05; done`},
	})
	s.present(front, "127.0.0.1:1")
	w.send(sigterm)
	s.present(front)
	gone := time.Now()
	if w.count("the command stops") > 0 {
		t.Error("the command was stopped while it was registered")
	}
	w.says("the command stops")
	if waited := time.Since(gone); waited < drain*2/3 {
		t.Errorf("the command was stopped %v after the node was deleted, want %v", waited, drain)
	}
	w.ends(7)
}

func TestSecondSignalEndsTheDrain(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	w := startWrapper(t, wrapping{
		flags:   s.registering(front, "127.0.0.1:1", "--check", "none", "--drain", "10m"),
		command: []string{"sleep", "1000"},
	})
	s.present(front, "127.0.0.1:1")
	w.send(sigterm)
	s.present(front)
	w.send(sigterm)
	w.ends(128 + int(sigterm))
}

func TestCommandThatIgnoresTheStopIsKilledWithItsGroup(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	w := startWrapper(t, wrapping{
		flags:   s.registering(front, "127.0.0.1:1", "--check", "none", "--drain", "0s", "--grace", "500ms"),
		command: []string{"sh", "-c", `trap "" TERM INT; echo ready; sleep 1000`},
	})
	s.present(front, "127.0.0.1:1")
	w.says("ready")
	below, err := w.Descendants()
	if err != nil || len(below) < 2 {
		t.Fatalf("descendants %v, %v", below, err)
	}
	w.send(syscall.SIGINT)
	w.ends(128 + int(syscall.SIGKILL))
	for _, p := range below {
		if err := syscall.Kill(p.PID, 0); err == nil {
			t.Errorf("%v is left behind", p)
		}
	}
}

func TestCommandThatEndsIsDeregisteredAtOnce(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	w := startWrapper(t, wrapping{
		flags:   s.registering(front, "127.0.0.1:1", "--check", "none", "--drain", "10m", "--session-timeout", "1h"),
		command: []string{"sh", "-c", `trap "exit 3" HUP; echo ready; while :; do sleep 0.05; done`},
	})
	s.present(front, "127.0.0.1:1")
	w.says("ready")
	w.send(syscall.SIGHUP)
	w.ends(3)
	s.present(front)
}

// Two registrars of one address do not fight for it: the earlier one waits until the
// later one has deregistered.
func TestTwoRegistrarsOfOneAddress(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	const addr = "127.0.0.1:1"
	flags := s.registering(front, addr, "--check", "none", "--drain", "0s")
	first := startWrapper(t, wrapping{flags: flags})
	s.present(front, addr)
	missing := s.absences(front, addr)
	second := startWrapper(t, wrapping{flags: flags})
	second.says("registered, replacing the node of another session")
	first.says("another registrar registers the same address")
	owner := s.owner(front, addr)
	second.send(sigterm)
	second.ends(0)
	first.says("msg=registered path=")
	s.eventually("the first one registers again", func() error {
		if now := s.owner(front, addr); now == 0 || now == owner {
			return fmt.Errorf("the owner is %#x, was %#x", now, owner)
		}
		return nil
	})
	t.Logf("the node was missing for %v", missing())
	if n := first.count("replacing the node"); n > 0 {
		t.Errorf("the first one took it back %d times", n)
	}
	first.send(sigterm)
	first.ends(0)
	s.present(front)
}

// The formats that have more than a name.
func TestRegistrationsInEachFormat(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	for _, tt := range []struct{ format, name, data string }{
		{"curator", "-8", `"address":"127.0.0.1","port":81,`},
		{"serverset", "member_", `"serviceEndpoint":{"host":"127.0.0.1","port":81}`},
		{"nerve", "127.0.0.1_81_", `"host":"127.0.0.1","port":81,`},
		{"data", "127.0.0.1:81", "127.0.0.1:81"},
	} {
		group := "web-" + tt.format
		w := startWrapper(t, wrapping{flags: s.registering(group, ":81", "--check", "none", "--drain", "0s"), env: []string{"HAPROXY_ZK_REGISTER_FORMAT=" + tt.format, "REGISTER_FORMAT=name"}})
		w.says("msg=registered ")
		names, err := s.registry.Children(s.node(group))
		if err != nil || len(names) != 1 || !strings.Contains(names[0], tt.name) {
			t.Errorf("%s: registered are %v, %v", tt.format, names, err)
			continue
		}
		data, _, err := s.registry.Conn().Get(s.node(group) + "/" + names[0])
		if err != nil || !strings.Contains(string(data), tt.data) {
			t.Errorf("%s: its data are %s, %v", tt.format, data, err)
		}
		w.send(sigterm)
		w.ends(0)
	}
}
