package syncer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// client runs a syncer and is its sink.
type client struct {
	*testing.T
	*Syncer
	metrics *prometheus.Registry
	log     *countingLog
	cancel  func()
	done    chan struct{}
	err     error // of Run, when done

	mu     sync.Mutex
	groups map[string][]string
	times  int
	// discovered are the received lists of groups, in order.
	discovered []string
}

func (c *client) SetGroup(g registry.Group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups[g.Name] = texts(g.Instances)
	c.times++
}

func (c *client) SetGroups(d registry.Discovered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.discovered = append(c.discovered, strings.Join(d.Names, " "))
}

func (c *client) expect(times int, group string, want ...string) {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.groups[group], want) || c.times != times {
		c.Errorf("%s has %v, delivered %d times; want %v, %d", group, c.groups[group], c.times, want, times)
	}
}

func (c *client) list(group string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.groups[group]
}

// countingLog counts what is logged.
type countingLog struct{ lines atomic.Int64 }

func (l *countingLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *countingLog) WithGroup(string) slog.Handler      { return l }

func (l *countingLog) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

func (l *countingLog) Handle(context.Context, slog.Record) error {
	l.lines.Add(1)
	return nil
}

// stop ends the syncer and returns how long that took.
func (c *client) stop() time.Duration {
	before := time.Now()
	c.cancel()
	<-c.done
	if c.err != nil {
		c.Errorf("Run: %v", c.err)
	}
	return time.Since(before)
}

func newClient(t *testing.T, connect connectFunc, servers []string, groups int) *client {
	c := &client{T: t, groups: make(map[string][]string), done: make(chan struct{}), metrics: prometheus.NewRegistry(), log: new(countingLog)}
	o := Options{
		Proxy: "p", Servers: servers, Chroot: "/root", Sink: c,
		Metrics: NewMetrics(c.metrics), Logger: slog.New(c.log),
	}
	for i := range groups {
		o.Groups = append(o.Groups, Group{Name: fmt.Sprint("g", i), Path: fmt.Sprint("/g", i)})
	}
	c.Syncer = New(o)
	if connect != nil {
		c.connect = connect
	}
	return c
}

func startClient(t *testing.T, connect connectFunc, servers []string, groups int) *client {
	c := newClient(t, connect, servers, groups)
	c.start()
	return c
}

func (c *client) start() {
	ctx, cancel := context.WithCancel(c.Context())
	c.cancel = cancel
	go func() {
		defer close(c.done)
		c.err = c.Syncer.Run(ctx)
	}()
}

// inBubble runs a test with a fake server in a synctest bubble.
func inBubble(t *testing.T, test func(t *testing.T, f *fakeServer, c *client)) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeServer()
		f.children["/root/g0"] = []string{"10.0.0.1:80"}
		c := startClient(t, f.connect, []string{"zk:2181"}, 2)
		after(time.Second)
		test(t, f, c)
		c.stop()
	})
}

func after(d time.Duration) {
	<-time.After(d) // the bubble's clock
	synctest.Wait()
}

func TestSyncer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeServer, c *client) {
		c.expect(2, "g0", "10.0.0.1:80")
		c.expect(2, "g1")
		if status := c.ConnectionStatus(); !status.Connected || status.Problem != "" || status.Last.IsZero() {
			t.Errorf("%+v", status)
		}
		f.set("/root/g0", "10.0.0.2:80", "10.0.0.1:80", "odd")
		synctest.Wait()
		c.expect(3, "g0", "10.0.0.1:80", "10.0.0.2:80")

		// Pings keep the session and update the time of the last contact.
		after(time.Hour)
		if status := c.ConnectionStatus(); !status.Connected || time.Since(status.Last) > f.granted/2 {
			t.Errorf("%+v, now is %v", status, time.Now())
		}
		c.expect(3, "g0", "10.0.0.1:80", "10.0.0.2:80")

		if took := c.stop(); took != 0 || f.closed != 1 {
			t.Errorf("stopped after %v, %d sessions closed", took, f.closed)
		}
		if status := c.ConnectionStatus(); status.Connected || status.Problem == "" {
			t.Errorf("%+v", status)
		}
	})
}

func TestSyncerWhileZooKeeperIsDown(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeServer, c *client) {
		after(time.Minute)
		f.drop(refuse)
		after(time.Minute)
		c.expect(2, "g0", "10.0.0.1:80")
		status := c.ConnectionStatus()
		if status.Connected || status.Problem != "cannot connect to zk:2181: connection refused" || time.Since(status.Last) < time.Minute {
			t.Errorf("%+v", status)
		}

		// It comes back with the session and without the watches' events.
		f.set("/root/g0", "10.0.0.2:80")
		f.lock(func() { f.mode = serve })
		after(1200 * time.Millisecond)
		c.expect(3, "g0", "10.0.0.2:80")

		// It comes back without the session.
		after(time.Minute)
		f.drop(refuse)
		f.lock(func() { clear(f.sessions) })
		f.set("/root/g0", "10.0.0.3:80")
		after(time.Minute)
		f.lock(func() { f.mode = serve })
		after(1200 * time.Millisecond)
		c.expect(4, "g0", "10.0.0.3:80")
		if got := gathered(t, c.metrics)["haproxyzk_zookeeper_sessions_total"]; got != 2 {
			t.Errorf("%v sessions", got)
		}
	})
}

func TestSyncerAfterZooKeeperLostItsData(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeServer, c *client) {
		after(time.Minute)
		f.drop(serve)
		f.lock(func() {
			f.zxid = 1
			clear(f.sessions)
			clear(f.children)
		})
		after(f.granted - time.Second)
		c.expect(2, "g0", "10.0.0.1:80")
		after(3 * time.Second)
		c.expect(3, "g0")
		if !c.ConnectionStatus().Connected {
			t.Errorf("%+v", c.ConnectionStatus())
		}
	})
}

func TestSyncerBacksOff(t *testing.T) {
	for mode, problem := range map[string]string{
		refuse: "cannot connect to zk:2181: connection refused",
		cut:    "no session with zk:2181: connection closed by the server",
		mute:   "no session with zk:2181: timed out",
	} {
		t.Run(mode, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fakeServer, c *client) {
				f.drop(mode)
				after(time.Minute)
				if diff := cmp.Diff(problem, c.ConnectionStatus().Problem); diff != "" {
					t.Error(diff)
				}
				if n := len(f.dials); n < 12 || n > 150 {
					t.Errorf("%d dials in a minute", n)
				}
				for i, at := range f.dials[1:] {
					if gap := at.Sub(f.dials[i]); gap > patienceMax+1050*time.Millisecond {
						t.Errorf("%v between two dials", gap)
					}
				}
			})
		})
	}
	t.Run("sessions that end at once", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f *fakeServer, _ *client) {
			for range 600 {
				f.drop(serve)
				after(100 * time.Millisecond)
			}
			if n := len(f.dials); n > 150 {
				t.Errorf("%d dials in a minute", n)
			}
		})
	})
}

// The session of a registrar, which reads no data, has events of nodes too.
func TestSessionWithoutReadersOfDataTakesTheirEvents(t *testing.T) {
	t.Parallel()
	var current status
	metrics := NewMetrics(prometheus.NewRegistry())
	s := newSession(t.Context(), Options{Servers: []string{"127.0.0.1:1"}, Logger: slog.New(slog.DiscardHandler)}, nil, &current, metrics.add("", &current, new(intake.Notes)))
	defer s.cancel()
	s.observe(zk.Event{Type: zk.EventNodeDeleted, Path: "/web/10.0.0.1:80"})
	if status := current.get(); status.Connected {
		t.Errorf("%+v", status)
	}
}
