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

// promptly bounds how long lists may be wrong after a server accepts connections
// again.
const promptly = 2 * time.Second

// safetyRead is how long a list may at most go without being read.
const safetyRead = 90 * time.Second

// servesBy is serves with a deadline, counted from when a server was there again.
func (s *stage) servesBy(deadline time.Time, group string, apps ...*rig.App) {
	s.t.Helper()
	if err := rig.Eventually(s.t.Context(), time.Until(deadline), func() error { return s.compare(group, addrs(apps)) }); err != nil {
		_, ready := s.get("/readyz")
		_, metrics := s.get("/metrics")
		reads := regexp.MustCompile(`haproxyzk_zookeeper_reads_total.*`).FindAllString(metrics, -1)
		s.t.Errorf("%s: group %s, %v after a server was there: %v\n%s%s", time.Now().Format("15:04:05.000"), group, promptly, err, ready, strings.Join(reads, "\n"))
	}
}

// sessions is how many the daemon has had.
func (s *stage) sessions() string {
	_, metrics := s.get("/metrics")
	return regexp.MustCompile(`haproxyzk_zookeeper_sessions_total\{[^}]*\} (\d+)`).FindStringSubmatch(metrics)[1]
}

// unreachable waits until the daemon tells a problem, and stays ready.
func (s *stage) unreachable(problem string) {
	s.t.Helper()
	s.eventually("it tells the problem, and stays ready", func() error {
		if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, problem) {
			return fmt.Errorf("%d %s, want %s", code, body, problem)
		}
		return nil
	})
}

// wired is a stage whose daemon reaches ZooKeeper over a wire, and applications
// that do not need it.
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

// TestConnectionToZooKeeperFails in every way that there is, and instances come
// and go meanwhile.
func TestConnectionToZooKeeperFails(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, w := wired(t, h, "2s")
		s.start()
		s.ready()
		a, b, load := s.both()
		for _, fault := range []struct {
			name string
			fail func()
			told string // "" when it may be over before it is
		}{
			{"cut", w.Cut, ""},
			{"refused", w.Refuse, "connection refused"},
			{"silent, then in the handshake", w.Silence, "no session with " + w.Addr() + ": timed out"},
			{"half open", w.Mute, "no session with " + w.Addr() + ": timed out"},
		} {
			t.Log(fault.name)
			fault.fail()
			if fault.told != "" {
				s.unreachable(fault.told)
			}
			next := s.app(front)
			if err := a.Unregister(); err != nil {
				t.Fatal(err)
			}
			if fault.told != "" {
				s.compareNow(front, a) // it stays
			}
			deadline := forward(t, w)
			s.servesBy(deadline, front, next)
			s.servesBy(deadline, base, b)
			a = next
		}
		s.lost(load)
	})
}

// TestStartBehindASilentNetwork accepts connections and says nothing.
func TestStartBehindASilentNetwork(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
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
		// HAProxy serves, what is known: nothing.
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

// TestSessionExpires at the server, behind a network that is silent.
func TestSessionExpires(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
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

// TestSessionIsClosedByAnother who knows its id and password: the daemon gets one
// of its own, without a change of what is served.
func TestSessionIsClosedByAnother(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
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

// expired waits until the server knows the daemon's session no more.
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

// session is the id of the daemon's, as it logs it.
func (s *stage) session() string {
	s.t.Helper()
	found := regexp.MustCompile(`connected to zookeeper.*"session":"(0x[0-9a-f]+)"`).FindAllStringSubmatch(s.daemon.Output(), -1)
	if len(found) == 0 {
		s.t.Fatal("the daemon has logged no session")
	}
	return found[len(found)-1][1]
}

// TestAnswersOfZooKeeperAreSlow by seconds, which is no reason to disconnect.
func TestAnswersOfZooKeeperAreSlow(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		const slow = 3 * time.Second
		s, w := wired(t, h, "10s")
		s.start()
		s.ready()
		a, _, load := s.both()
		w.Delay(slow)
		c := s.app(front)
		// The event and the answer to the read are late.
		s.servesBy(time.Now().Add(2*slow+promptly), front, a, c)
		if n := s.sessions(); n != "1" || strings.Contains(s.daemon.Output(), "disconnected from zookeeper") {
			t.Errorf("it was disconnected, %s sessions", n)
		}
		w.Cut() // a handshake is as slow
		s.unreachable("timed out")
		s.unreachable(`"zookeeper":"connected"`)
		if n := s.sessions(); n != "1" {
			t.Errorf("%s sessions", n)
		}
		deadline := forward(t, w).Add(slow) // what is on the way comes late
		d := s.app(front)
		s.servesBy(deadline, front, a, c, d)
		s.lost(load)
	})
}

// TestAllServersAreAway for some seconds, with E2E_LONG for a minute. Health
// checks go on deciding.
func TestAllServersAreAway(t *testing.T) {
	absence := 5 * time.Second
	if os.Getenv("E2E_LONG") != "" {
		absence = time.Minute
	}
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
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

// TestLeaderIsKilled in an ensemble of three, twice: whoever is connected to it
// goes elsewhere, whoever is not waits for the election.
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
	inTurn(t, func(t *testing.T, h rig.HAProxy) {
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

// TestPermissionIsTakenAway from a path that is being served: what is known
// stays, that is told, and what is new comes when it is given back. ZooKeeper
// drops the watch without a word, so that only the safety read finds it, after up
// to 90 seconds: the test runs once, and on every HAProxy with E2E_LONG.
func TestPermissionIsTakenAway(t *testing.T) {
	t.Parallel()
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b, load := s.both()
		if err := s.registry.Conn().AddAuth("digest", []byte("owner:x")); err != nil {
			t.Fatal(err)
		}
		s.allow(front, zk.DigestACL(zk.PermAll, "owner", "x"))
		c := s.app(front)
		told := "connected, but no permission to read " + s.node(front) + " (NoAuth): set zk.auth"
		if err := rig.Eventually(t.Context(), safetyRead+within, func() error {
			if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, told) {
				return fmt.Errorf("%d %s, want %s", code, body, told)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		s.compareNow(front, a)
		d := s.app(base) // the others are followed
		s.serves(base, b, d)
		if output := s.daemon.Output(); !strings.Contains(output, "cannot read path, the instances known stay") {
			t.Error("the log does not tell")
		}
		s.allow(front, zk.WorldACL(zk.PermAll))
		s.serves(front, a, c)
		if _, body := s.get("/readyz"); strings.Contains(body, "permission") {
			t.Errorf("it still tells: %s", body)
		}
		s.lost(load)
	})
}
