package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// agent answers HAProxy's agent checks.
type agent struct {
	port   int
	answer atomic.Value // string
	asked  atomic.Int64
}

// newAgent starts an agent, which ends with the test.
func newAgent(t *testing.T, answer string) *agent {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{port: listener.Addr().(*net.TCPAddr).Port}
	a.answer.Store(answer)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			a.asked.Add(1)
			io.WriteString(conn, a.answer.Load().(string)+"\n") //nolint:errcheck // HAProxy asks again
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return a
}

// askedAgain waits until the agent has answered this many more checks.
func (s *stage) askedAgain(a *agent, times int64) {
	s.t.Helper()
	enough := a.asked.Load() + times
	s.eventually("more agent checks", func() error {
		if n := a.asked.Load(); n < enough {
			return fmt.Errorf("%d of %d", n, enough)
		}
		return nil
	})
}

// beginWithAgent begins with an agent check on every server of the first group.
func beginWithAgent(t *testing.T, h rig.HAProxy, a *agent, check string) *stage {
	t.Helper()
	return begin(t, h, func(c *rig.SeedConfig) {
		c.Groups[0].ServerTemplate = "${group_name} 1-${max_server} ${ip_port} " + check + " agent-check agent-addr 127.0.0.1 agent-port " +
			strconv.Itoa(a.port) + " agent-inter 300 disabled" // 2.2 aborts checks that take longer than 200 ms
	})
}

// The state set by an agent applies to instances in service, and is not reported as an
// operator's override.
func TestAgentCheckIsNotAnOperatorOverride(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		agent := newAgent(t, "ready up")
		s := beginWithAgent(t, h, agent, "check inter 500")
		a, b := s.app(front), s.app(front)
		s.serves(front, a, b)
		reported := func(want string) {
			t.Helper()
			s.eventually("the agent's "+want, func() error {
				return errors.Join(s.operated(front, a, want, 1), s.operated(front, b, want, 1), s.reports("agent", a, want), s.reports("operator", a, "ready"))
			})
		}
		for _, state := range []string{"drain", "ready", "maint", "ready"} {
			agent.answer.Store(state)
			reported(state)
		}
		s.serves(front, a, b)
		lines := s.logged("server state was changed outside haproxy-zk, applying it to all workers")
		for _, fields := range lines {
			if fields["by"] != "agent check or operator" {
				t.Errorf("the log says %v", fields)
			}
		}
		if len(lines) == 0 {
			t.Error("the log does not say that the agent changed servers")
		}
		s.stopped()
	})
}

// reports returns nil if /readyz lists an instance with this state under a kind, or,
// for ready, does not list it.
func (s *stage) reports(kind string, a *rig.App, state string) error {
	condition, err := s.condition()
	if err != nil {
		return err
	}
	listed := map[string]map[string]map[string]string{"agent": condition.Agent, "operator": condition.Operator}[kind]
	got, found := listed[front][a.Addr()]
	if found != (state != "ready") || found && got != state {
		return fmt.Errorf("%s: %s is %q, want %s", kind, a.Addr(), got, state)
	}
	return nil
}

// An agent that answers `ready` ends maintenance: it must not bring back a departed
// instance, nor an empty slot.
func TestAgentDoesNotEndMaintenance(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		agent := newAgent(t, "ready up")
		s := beginWithAgent(t, h, agent, "") // without health checks that would keep them out
		a, b := s.app(front), s.app(front)
		s.serves(front, a, b)
		load := s.load(rig.Target{Path: "/", App: front})
		s.retire(front, a)
		s.serves(front, b)
		s.askedAgain(agent, 8)
		s.serves(front, b)
		s.reload()
		s.serves(front, b)
		s.askedAgain(agent, 8)
		s.serves(front, b)
		if drift := s.metric("haproxyzk_drift_repaired_total"); drift > 0 {
			t.Errorf("%v servers had drifted", drift)
		}
		c := s.app(front)
		s.serves(front, b, c)
		s.lost(load)
		s.stopped()
	})
}

// The last answer of one instance's agent does not apply to the next instance, and an
// agent's `down` survives a reload.
func TestAgentStateEndsWithTheInstance(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		agent := newAgent(t, "up")
		s := beginWithAgent(t, h, agent, "")
		a := s.app(front)
		s.serves(front, a)
		agent.answer.Store("down")
		s.eventually("down", func() error { return s.down(front) })
		s.reload()
		s.askedAgain(agent, 4)
		s.eventually("down after a reload", func() error { return s.down(front) })
		s.retire(front, a)
		agent.answer.Store("100%") // nothing about its health
		b := s.app(front)
		s.serves(front, b)
		s.eventually("up", func() error { return s.down() })
		s.stopped()
	})
}
