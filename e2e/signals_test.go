package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func (s *stage) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.daemon.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// says waits until the daemon has written text.
func (s *stage) says(text string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	if err := s.daemon.WaitOutput(ctx, text); err != nil {
		s.t.Fatal(err)
	}
}

// reread makes the daemon reload the configuration, and waits for the given result.
func (s *stage) reread(result string) {
	s.t.Helper()
	const reads = "haproxyzk_configuration_reads_total"
	label := `result="` + result + `"`
	before := s.metric(reads, label)
	s.signal(syscall.SIGHUP)
	s.reaches(before+1, reads, label)
}

// rewrite writes the configuration of these proxies.
func (s *stage) rewrite(proxies ...*rig.SeedConfig) {
	s.t.Helper()
	if _, err := rig.WriteConfig(s.home, proxies...); err != nil {
		s.t.Fatal(err)
	}
}

// beside returns a second proxy of the same daemon, with its own group.
func (s *stage) beside(name string) *stage {
	other := *s
	other.config = &rig.SeedConfig{
		Proxy: name, ZKAddr: s.config.ZKAddr, ZKPath: "/" + filepath.Base(s.home) + "/" + name + "/${group}",
		HAProxy: s.config.HAProxy, Groups: []rig.Group{{Name: name + "-web", DefaultBackend: true}},
	}
	return &other
}

// slow starts a request and returns its outcome once it is running.
func (s *stage) slow(a *rig.App, takes time.Duration) <-chan error {
	s.t.Helper()
	before := a.Served("/slow")
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, fmt.Sprintf("http://%s/slow?ms=%d", s.config.Listener(), takes.Milliseconds()), nil)
	s.must(err)
	request.Close = true // a connection that stays open afterwards is a session, too
	outcome := make(chan error, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d", response.StatusCode)
			}
		}
		outcome <- err
	}()
	s.eventually("the request runs", func() error {
		if a.Served("/slow") == before {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	return outcome
}

// renewed is replaced for deliberate reloads: HAProxy removes its pid file before
// writing it, so that it may be missing for a moment.
func (s *stage) renewed(old []int) {
	s.t.Helper()
	s.eventually("a new pid file", func() error {
		text, err := os.ReadFile(s.config.PIDFile())
		if words := strings.Fields(string(text)); err != nil || len(words) != len(old) || slices.Contains(old, atoi(words[0])) {
			return fmt.Errorf("pid file %q, before %v: %w", text, old, err)
		}
		return nil
	})
	s.ended(old)
	s.ready()
}

// ended waits until processes have ended.
func (s *stage) ended(pids []int) {
	s.t.Helper()
	s.eventually("the processes have ended", func() error {
		for _, pid := range pids {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("process %d is still there: %w", pid, err)
			}
		}
		return nil
	})
}

// keepsPIDs waits until the workers are the previous ones: a failed launch writes its
// own pids first.
func (s *stage) keepsPIDs(before []int) {
	s.t.Helper()
	s.eventually("the workers are the same", func() error {
		if diff := cmp.Diff(before, s.pids()); diff != "" {
			return fmt.Errorf("-before +now\n%s", diff)
		}
		return nil
	})
}

func TestUnchangedConfigurationTouchesNothing(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		before := s.pids()
		s.reread("ok")
		s.says(`"unchanged":["ngboss"]`)
		s.keepsPIDs(before)
		a := s.app(front)
		s.serves(front, a)
		s.keepsPIDs(before)
	})
}

func TestChangedGroupsLoseNoRequest(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		_, b, load := s.both()

		const added = "web-added"
		c := s.app(added)
		before := s.pids()
		s.config.Groups[1].MaxServer = 30
		s.config.Groups = append(s.config.Groups, rig.Group{Name: added, ACLs: []string{"path_beg -i /added"}})
		s.rewrite(s.config)
		s.reread("ok")
		s.says(`"changed":["ngboss"]`)
		s.renewed(before)
		s.serves(added, c)
		s.serves(base, b)
		more := s.load(rig.Target{Path: "/added/x", App: added})
		d := s.app(added)
		s.serves(added, c, d)
		s.eventually("both are used", func() error { return used(more, []*rig.App{c, d}) })
		servers, err := rig.ServersState(s.config.Sockets()[0])
		if err != nil {
			t.Fatal(err)
		}
		slots := 0
		for _, server := range servers {
			if server.Backend == base {
				slots++
			}
		}
		if slots != 30 {
			t.Errorf("%d slots, not 30", slots)
		}
		s.lost(more)

		before = s.pids()
		s.config.Groups = s.config.Groups[:2]
		s.rewrite(s.config)
		s.reread("ok")
		s.renewed(before)
		s.serves(base, b)
		if code, body := s.get("/ngboss/" + added); code != http.StatusNotFound {
			t.Errorf("the group that is gone: %d %s", code, body)
		}
		s.lost(load)
		s.stopped()
	})
}

func TestWrongConfigurationChangesNothing(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		load := s.load(rig.Target{Path: "/", App: front})

		right := s.config.Extra
		s.config.Extra = map[string]any{"listener_port": "nonsense", "stop_grace": "soon"}
		s.rewrite(s.config)
		s.reread("error")
		s.says(`ngboss.listener_port`)
		s.says(`ngboss.stop_grace`)
		s.says("nothing has changed")

		s.config.Extra, s.config.Template = right, rig.SeedTemplate+"\n\nbackend broken\n    no-such-keyword\n"
		s.rewrite(s.config)
		s.reread("error")
		s.says("no-such-keyword")

		if err := os.Remove(s.config.TemplateFile()); err != nil {
			t.Fatal(err)
		}
		s.reread("error")
		s.says("ngboss.template")

		b := s.app(front)
		s.serves(front, a, b)
		s.keepsPIDs(before)
		s.lost(load)
		s.config.Template = rig.SeedTemplate
		s.rewrite(s.config)
		s.reread("ok")
		s.keepsPIDs(before)
	})
}

func TestProxiesAreAddedAndRemoved(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		load := s.load(rig.Target{Path: "/", App: front})

		other := s.beside("aside")
		b := other.app("aside-web")
		s.rewrite(other.config, s.config)
		s.reread("ok")
		s.says(`"added":["aside"]`)
		other.serves("aside-web", b)
		_, body := s.get("/")
		if first, second := strings.Index(body, `"aside"`), strings.Index(body, `"ngboss"`); first < 0 || second < first {
			t.Errorf("not in the order of the file: %s", body)
		}
		workers := other.pids()
		slow := other.slow(b, 2*time.Second)

		s.rewrite(s.config)
		s.reread("ok")
		s.says(`"removed":["aside"]`)
		if code, body := s.get("/aside"); code != http.StatusNotFound {
			t.Errorf("the proxy that is gone: %d %s", code, body)
		}
		if err := <-slow; err != nil {
			t.Errorf("a running request was cut: %v", err)
		}
		s.ended(workers)
		s.keepsPIDs(before)
		s.ready()
		s.eventually("the metrics forget the proxy that is gone", func() error {
			if _, metrics := s.get("/metrics"); strings.Contains(metrics, `proxy="aside"`) {
				return errors.New("not yet")
			}
			return nil
		})

		// It is added again under its name.
		s.rewrite(other.config, s.config)
		s.reread("ok")
		other.serves("aside-web", b)
		s.keepsPIDs(before)
		s.lost(load)
		s.stopped()
	})
}

func TestAddedProxyIsRetriedUntilItStarts(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.wrap(`if [ "$mode $1" = "broken -D" ]; then echo it is broken >&2; exit 1; fi`)
		s.connect()
		s.start()
		s.ready()
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		other := s.beside("aside")
		s.mode("broken")
		b := other.app("aside-web")
		s.rewrite(s.config, other.config)
		s.reread("ok")
		s.says("proxy failed, not serving until restarted")
		s.mode("")
		other.serves("aside-web", b)
		s.keepsPIDs(before)
		s.ready()
	})
}

func TestFailedChangeIsRetried(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.wrap(`if [ "$mode $1" = "broken -D" ]; then echo it is broken >&2; exit 1; fi`)
		s.connect()
		s.start()
		s.ready()
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		load := s.load(rig.Target{Path: "/", App: front})
		s.mode("broken")
		old := s.config.ListenerPort
		port, err := rig.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		s.config.ListenerPort = port
		s.rewrite(s.config)
		s.reread("ok")
		s.says("reload failed, running generation unchanged")
		for _, pid := range before { // the pid file changes during the attempt
			if err := syscall.Kill(pid, 0); err != nil {
				t.Errorf("worker %d: %v", pid, err)
			}
		}
		// Instances still enter and leave.
		b := s.app(front)
		s.serves(front, a, b)
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })
		s.lost(load) // its port is closed
		s.mode("")
		s.ended(before)
		s.ready()
		s.serves(front, a, b)
		if s.config.ListenerPort == old {
			t.Fatal("the port is the same")
		}
		load = s.load(rig.Target{Path: "/", App: front})
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })
		s.lost(load)
		s.stopped()
	})
}

func TestZooKeeperMovesWithoutALostRequest(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b := s.app(front), s.app(base)
		s.serves(front, a)
		s.serves(base, b)
		before := s.pids()
		load := s.load(through()...)

		right := s.config.ZKAddr
		s.config.ZKAddr = fmt.Sprintf("127.0.0.1:%d", s.port()) // nothing listens there
		s.rewrite(s.config)
		s.reread("ok")
		c := s.app(front)
		s.serves(front, a, c)
		s.keepsPIDs(before)

		path := "/" + filepath.Base(s.home) + "/elsewhere/${group}"
		s.config.ZKAddr, s.config.ZKPath, s.config.Groups[1].ZKPath = right, path, path
		d, e := s.app(front), s.app(base)
		s.rewrite(s.config)
		s.reread("ok")
		s.serves(front, d)
		s.serves(base, e)
		s.eventually("the others are used", func() error { return used(load, []*rig.App{d, e}) })
		s.keepsPIDs(before) // nothing of that is rendered
		s.lost(load)
		s.stopped()
	})
}

func TestOtherFilesRestartTheProxy(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		s.config.Workers = 1
		s.rewrite(s.config)
		s.reread("ok")
		s.eventually("one worker", func() error {
			text, err := os.ReadFile(s.config.PIDFile())
			if words := strings.Fields(string(text)); err != nil || len(words) != 1 || slices.Contains(before, atoi(words[0])) {
				return fmt.Errorf("pid file %q, before %v: %w", text, before, err)
			}
			return nil
		})
		s.serves(front, a)
		s.stopped()
	})
}

func atoi(text string) (n int) {
	_, _ = fmt.Sscan(text, &n)
	return n
}

// Other signals that a terminal, an engine or an operator may send have no effect.
func TestOtherSignalsDoNothing(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		load := s.load(rig.Target{Path: "/", App: front})
		for _, sig := range []syscall.Signal{
			syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGPIPE, syscall.SIGWINCH, syscall.SIGALRM,
			syscall.SIGURG, syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGIO, syscall.SIGPWR,
		} {
			s.signal(sig)
		}
		b := s.app(front)
		s.serves(front, a, b)
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })
		s.keepsPIDs(before)
		s.lost(load)
		s.stopped()
	})
}

func TestStopsThatCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		signals []syscall.Signal
	}{
		{"QUIT", []syscall.Signal{syscall.SIGQUIT}},
		{"a second TERM", []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM}},
		{"INT after TERM", []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}},
		{"QUIT after USR1", []syscall.Signal{syscall.SIGUSR1, syscall.SIGQUIT}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEverySet(t, func(t *testing.T, h rig.HAProxy) {
				s := begin(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"stop_grace": "1m"} })
				a := s.app(front)
				s.serves(front, a)
				slow := s.slow(a, time.Minute)
				for i, sig := range tt.signals {
					if i > 0 {
						s.says(`"signal":"` + tt.signals[i-1].String() + `"`)
					}
					s.signal(sig)
				}
				s.exits(0)
				if err := <-slow; err == nil {
					t.Error("a request of a minute was answered")
				}
				if left, err := s.daemon.Leftovers(); err != nil || len(left) > 0 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			})
		})
	}
}

func TestSoftStopHasNoGrace(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"stop_grace": "1s"} })
		a := s.app(front)
		s.serves(front, a)
		slow := s.slow(a, 3*time.Second)
		s.signal(syscall.SIGUSR1)
		if err := <-slow; err != nil {
			t.Errorf("a running request was cut: %v", err)
		}
		s.exits(0)
		if left, err := s.daemon.Leftovers(); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

func TestGraceBeginsWithTERMAfterASoftStop(t *testing.T) {
	onBothKinds(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"stop_grace": "2s"} })
		a := s.app(front)
		s.serves(front, a)
		long, short := s.slow(a, time.Minute), s.slow(a, time.Second)
		s.signal(syscall.SIGUSR1)
		s.says(`"signal":"user defined signal 1"`)
		s.signal(syscall.SIGTERM)
		if err := <-short; err != nil {
			t.Errorf("a running request was cut within the grace: %v", err)
		}
		s.exits(0)
		if err := <-long; err == nil {
			t.Error("a request of a minute was answered")
		}
	})
}
