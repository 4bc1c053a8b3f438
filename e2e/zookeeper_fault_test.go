package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// promptly bounds how long lists may be outdated after a server accepts connections
// again.
const promptly = 2 * time.Second

// safetyRead is the maximum time between two reads of a list.
const safetyRead = 90 * time.Second

// servesBy is serves with a deadline, counted from when a server was available again.
func (s *stage) servesBy(deadline time.Time, group string, apps ...*rig.App) {
	s.t.Helper()
	if err := rig.Eventually(s.t.Context(), time.Until(deadline), func() error { return s.compare(group, addrs(apps)) }); err != nil {
		_, ready := s.get("/readyz")
		_, metrics := s.get("/metrics")
		reads := regexp.MustCompile(`haproxyzk_zookeeper_reads_total.*`).FindAllString(metrics, -1)
		s.t.Errorf("%s: group %s, %v after a server was there: %v\n%s%s", time.Now().Format("15:04:05.000"), group, promptly, err, ready, strings.Join(reads, "\n"))
	}
}

// sessions returns how many sessions the daemon has had.
func (s *stage) sessions() string {
	_, metrics := s.get("/metrics")
	return regexp.MustCompile(`haproxyzk_zookeeper_sessions_total\{[^}]*\} (\d+)`).FindStringSubmatch(metrics)[1]
}

// unreachable waits until the daemon reports a problem, and stays ready.
func (s *stage) unreachable(problem string) {
	s.t.Helper()
	s.eventually("it reports the problem, and stays ready", func() error {
		if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, problem) {
			return fmt.Errorf("%d %s, want %s", code, body, problem)
		}
		return nil
	})
}

// wired returns a stage whose daemon reaches ZooKeeper over a wire, unlike the
// applications.
func wired(t *testing.T, h rig.HAProxy, timeout string) (*stage, *rig.Wire) {
	t.Helper()
	w, err := rig.NewWire(shared.zookeeper.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	s := newStage(t, h, func(c *rig.SeedConfig) {
		c.ZKAddr, c.Extra = w.Addr(), map[string]any{"session_timeout": timeout}
	})
	s.use(rig.ConnectRegistry(t.Context(), shared.zookeeper.Addr(), patience))
	return s, w
}

func forward(t *testing.T, w *rig.Wire) (deadline time.Time) {
	t.Helper()
	if err := w.Forward(); err != nil {
		t.Fatal(err)
	}
	return time.Now().Add(promptly)
}

// TestZooKeeperConnectionFailures breaks the connection in every possible way, while
// instances enter and leave.
func TestZooKeeperConnectionFailures(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, w := wired(t, h, "2s")
		s.start()
		s.ready()
		a, b, load := s.both()
		for _, fault := range []struct {
			name     string
			fail     func()
			reported string // "" if it may be over before it is reported
		}{
			{"cut", w.Cut, ""},
			{"refused", w.Refuse, "connection refused"},
			{"silent, then in the handshake", w.Silence, "no session with " + w.Addr() + ": timed out"},
			{"half open", w.Mute, "no session with " + w.Addr() + ": timed out"},
		} {
			t.Log(fault.name)
			fault.fail()
			if fault.reported != "" {
				s.unreachable(fault.reported)
			}
			next := s.app(front)
			if err := a.Unregister(); err != nil {
				t.Fatal(err)
			}
			if fault.reported != "" {
				s.compareNow(front, a) // it stays that way
			}
			deadline := forward(t, w)
			s.servesBy(deadline, front, next)
			s.servesBy(deadline, base, b)
			a = next
		}
		s.lost(load)
	})
}

// TestStartBehindASilentNetwork accepts connections and never answers.
func TestStartBehindASilentNetwork(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, w := wired(t, h, "10s")
		a := s.app(front)
		w.Silence()
		s.start()
		s.eventually("it says why it is not ready", func() error {
			code, body := s.get("/readyz")
			if code != http.StatusServiceUnavailable || !strings.Contains(body, "no session with "+w.Addr()+": timed out") {
				return fmt.Errorf("%d %s", code, body)
			}
			return nil
		})
		// HAProxy serves the known instances: none.
		s.workersServe(front)
		deadline := forward(t, w)
		s.servesBy(deadline, front, a)
		s.ready()
		w.Silence()
		began := time.Now()
		s.stopped()
		if took := time.Since(began); took > promptly {
			t.Errorf("SIGTERM took %v", took)
		}
	})
}

// TestSessionExpires at the server, behind a silent network.
func TestSessionExpires(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, w := wired(t, h, "1s")
		s.start()
		s.ready()
		a, b := s.app(front), s.app(base)
		s.serves(front, a)
		s.serves(base, b)
		if n := s.sessions(); n != "1" {
			t.Errorf("%s sessions", n)
		}
		load := s.load(through()...)
		w.Silence()
		s.unreachable("timed out")
		s.expired()
		c := s.app(front)
		if err := b.Unregister(); err != nil {
			t.Fatal(err)
		}
		d := s.app(base)
		deadline := forward(t, w)
		s.servesBy(deadline, front, a, c)
		s.servesBy(deadline, base, d)
		if n := s.sessions(); n != "2" {
			t.Errorf("%s sessions", n)
		}
		s.lost(load)
	})
}

// If ZooKeeper's minSessionTimeout exceeds session_timeout, the latter still determines
// when a dead connection is given up; the session outlives it.
func TestMinSessionTimeoutAboveOurs(t *testing.T) {
	z := ownZooKeeper(t, rig.ZooKeeperOptions{Lines: []string{"minSessionTimeout=60000"}})
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		w, err := rig.NewWire(z.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Close)
		s := newStage(t, h, func(c *rig.SeedConfig) {
			c.ZKAddr, c.Extra = w.Addr(), map[string]any{"session_timeout": "2s"}
		})
		s.use(rig.ConnectRegistry(t.Context(), z.Addr(), patience))
		s.start()
		s.ready()
		a, b, load := s.both()
		w.Silence()
		begun := time.Now()
		s.unreachable("timed out")
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("the dead connection was given up after %v", took)
		}
		c := s.app(front)
		deadline := forward(t, w)
		s.servesBy(deadline, front, a, c)
		s.servesBy(deadline, base, b)
		if n := s.sessions(); n != "1" {
			t.Errorf("%s sessions", n)
		}
		s.lost(load)
		s.stopped()
	})
}

// TestSessionIsClosedByAnother closes the session with its id and password: the daemon
// gets a new one, and what it serves does not change.
func TestSessionIsClosedByAnother(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, w := wired(t, h, "10s")
		s.start()
		s.ready()
		a, b, load := s.both()
		if err := w.CloseSession(t.Context()); err != nil {
			t.Fatal(err)
		}
		closed := time.Now()
		s.expired()
		c := s.app(front)
		if err := b.Unregister(); err != nil {
			t.Fatal(err)
		}
		d := s.app(base)
		s.servesBy(closed.Add(promptly), front, a, c)
		s.servesBy(closed.Add(promptly), base, d)
		if n := s.sessions(); n != "2" {
			t.Errorf("%s sessions", n)
		}
		s.lost(load)
	})
}

// expired waits until the server has dropped the daemon's session.
func (s *stage) expired() {
	s.t.Helper()
	id := s.session()
	s.eventually("the session has expired", func() error {
		answer, err := shared.zookeeper.FourLetter("dump")
		if err == nil && strings.Contains(answer, id) {
			err = errors.New(answer)
		}
		return err
	})
}

// session returns the id of the daemon's session from its log.
func (s *stage) session() string {
	s.t.Helper()
	found := regexp.MustCompile(`connected to ZooKeeper.*"session":"(0x[0-9a-f]+)"`).FindAllStringSubmatch(s.daemon.Output(), -1)
	if len(found) == 0 {
		s.t.Fatal("the daemon has logged no session")
	}
	return found[len(found)-1][1]
}

// TestSlowZooKeeper answers seconds late, which is no reason to disconnect.
func TestSlowZooKeeper(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		const slow = 3 * time.Second
		s, w := wired(t, h, "10s")
		s.start()
		s.ready()
		a, _, load := s.both()
		w.Delay(slow)
		c := s.app(front)
		// The event and the answer to the read are late.
		s.servesBy(time.Now().Add(2*slow+promptly), front, a, c)
		if n := s.sessions(); n != "1" || strings.Contains(s.daemon.Output(), "disconnected from ZooKeeper") {
			t.Errorf("it was disconnected, %s sessions", n)
		}
		const children = `op="children"`
		late := s.metric("haproxyzk_zookeeper_request_duration_seconds_count", children) -
			s.metric("haproxyzk_zookeeper_request_duration_seconds_bucket", children, `le="2.048"`)
		if late < 1 {
			t.Errorf("%v reads took more than two seconds", late)
		}
		w.Cut() // a handshake is as slow
		s.unreachable("timed out")
		s.unreachable(`"zookeeper":"connected"`)
		if n := s.sessions(); n != "1" {
			t.Errorf("%s sessions", n)
		}
		deadline := forward(t, w).Add(slow) // what is on the way arrives late
		d := s.app(front)
		s.servesBy(deadline, front, a, c, d)
		s.lost(load)
	})
}

// TestAllZooKeeperServersUnavailable lasts some seconds, with E2E_LONG a minute. Health
// checks still apply.
func TestAllZooKeeperServersUnavailable(t *testing.T) {
	absence := 5 * time.Second
	if os.Getenv("E2E_LONG") != "" {
		absence = time.Minute
	}
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, w := wired(t, h, "4s")
		s.start()
		s.ready()
		a, b, sick := s.app(front), s.app(base), s.app(front)
		s.serves(front, a, sick)
		s.serves(base, b)
		load := s.load(through()...)
		w.Refuse()
		s.unreachable("connection refused")
		over := time.After(absence)
		sick.SetHealthy(false)
		s.workersServe(front, a)
		sick.SetHealthy(true)
		s.workersServe(front, a, sick)
		c := s.app(front)
		<-over
		s.compareNow(front, a, sick) // nothing else has changed
		deadline := forward(t, w)
		s.servesBy(deadline, front, a, sick, c)
		s.servesBy(deadline, base, b)
		s.lost(load)
	})
}

// workersServe waits until HAProxy sends requests to exactly these instances.
func (s *stage) workersServe(group string, apps ...*rig.App) {
	s.t.Helper()
	s.eventually("group "+group+" in the workers", func() error { return s.compareWorkers(group, apps...) })
}

func (s *stage) compareNow(group string, apps ...*rig.App) {
	s.t.Helper()
	if err := s.compare(group, addrs(apps)); err != nil {
		s.t.Errorf("group %s: %v", group, err)
	}
}

// TestLeaderIsKilled in an ensemble of three, twice: clients of the leader reconnect
// elsewhere, the others wait for the election.
func TestLeaderIsKilled(t *testing.T) {
	e, err := rig.StartEnsemble(t.Context(), t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	someInTurn(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.ZKAddr = e.Addr() })
		apps, b := []*rig.App{s.app(front)}, s.app(base)
		s.serves(front, apps...)
		s.serves(base, b)
		load := s.load(through()...)
		for range 3 {
			leader, err := e.Leader()
			if err != nil {
				t.Fatal(err)
			}
			if err := leader.Kill(); err != nil {
				t.Fatal(err)
			}
			s.eventually("another leads", func() error {
				_, err := e.Leader()
				return err
			})
			apps = append(apps, s.app(front))
			s.servesBy(time.Now().Add(promptly), front, apps...)
			s.compareNow(base, b)
			if err := leader.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.lost(load)
	})
}

// TestPermissionIsRevoked on a path that is being served: known instances stay, the
// problem is reported, and new ones are added once the permission is back. ZooKeeper
// drops the watch silently, so that only the safety read notices, after up to 90
// seconds: the test runs once, and on every HAProxy with E2E_LONG.
func TestPermissionIsRevoked(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b, load := s.both()
		if err := s.registry.Conn().AddAuth("digest", []byte("owner:x")); err != nil {
			t.Fatal(err)
		}
		s.allow(front, zk.DigestACL(zk.PermAll, "owner", "x"))
		c := s.app(front)
		reported := "connected, but no permission to read " + s.node(front) + " (NoAuth): set zk.auth"
		if err := rig.Eventually(t.Context(), safetyRead+within, func() error {
			if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, reported) {
				return fmt.Errorf("%d %s, want %s", code, body, reported)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		s.compareNow(front, a)
		d := s.app(base) // the others are followed
		s.serves(base, b, d)
		if output := s.daemon.Output(); !strings.Contains(output, "cannot read path, the instances known stay") {
			t.Error("it is not logged")
		}
		s.allow(front, zk.WorldACL(zk.PermAll))
		s.serves(front, a, c)
		if _, body := s.get("/readyz"); strings.Contains(body, "permission") {
			t.Errorf("it is still reported: %s", body)
		}
		s.lost(load)
	})
}
