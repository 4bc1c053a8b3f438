package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// logTo returns the seed's template with logging to a port of this test.
func logTo(port int) string {
	text := strings.Replace(rig.SeedTemplate, "log 127.0.0.1 local0", fmt.Sprintf("log 127.0.0.1:%d local0", port), 1)
	return strings.Replace(text, "    option          httplog\n", "    log global\n    option          httplog\n", 1)
}

// configured writes the configuration and returns the daemon's environment.
func (s *stage) configured(env ...string) []string {
	s.t.Helper()
	file, err := s.config.Write(s.home)
	if err != nil {
		s.t.Fatal(err)
	}
	return append(env, "CONFIG="+file)
}

// listening begins a stage whose HAProxy logs to the daemon over UDP.
func listening(t *testing.T, h rig.HAProxy) *stage {
	t.Helper()
	s := newStage(t, h, nil)
	port := s.port()
	s.config.Template = logTo(port)
	s.connect()
	s.run(s.configured(fmt.Sprintf("LOG_LISTEN=127.0.0.1:%d", port))...)
	s.ready()
	return s
}

func TestHAProxyLogIsForwarded(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := listening(t, h)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		s.signal(syscall.SIGUSR2)
		s.renewed(before)
		load := s.load(rig.Target{Path: "/who-asks", App: front})
		s.eventually("it is used", func() error { return used(load, []*rig.App{a}) })
		s.lost(load)
		s.says("GET /who-asks HTTP/1.1")
		s.stopped()
		for line := range strings.Lines(s.daemon.Output()) {
			if strings.Contains(line, "/who-asks") && !strings.Contains(line, `"component":"access"`) {
				t.Errorf("it is not marked as an access line: %s", line)
			}
		}
	})
}

// A full or closed output blocks nothing: neither HAProxy nor changes nor the stop.
// Lost lines are counted.
func TestUnreadOutputBlocksNothing(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		t.Run(fmt.Sprintf("closed %t", closed), func(t *testing.T) {
			onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
				read, write, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer read.Close()
				s := newStage(t, h, nil)
				port := s.port()
				s.config.Template = logTo(port)
				s.connect()
				s.runAs(rig.DaemonOptions{Env: s.configured("LOG_LEVEL=debug", fmt.Sprintf("LOG_LISTEN=127.0.0.1:%d", port)), Stderr: write})
				write.Close()
				s.ready()
				if closed {
					read.Close()
				}
				a := s.app(front)
				s.serves(front, a)
				load := s.load(rig.Target{Path: "/", App: front})
				s.flood(port)
				b := s.app(front)
				s.serves(front, a, b)
				s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })
				s.reaches(1, "haproxyzk_log_lines_lost_total")
				before := s.pids()
				s.signal(syscall.SIGUSR2)
				s.renewed(before)
				s.lost(load)
				s.stopped()
			})
		})
	}
}

// flood sends more lines than can be buffered.
func (s *stage) flood(port int) {
	s.t.Helper()
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	line := []byte("<134>Nov 23 10:00:00 haproxy[12]: " + strings.Repeat("x", 500))
	s.eventually("lines are lost", func() error {
		for range 1000 {
			_, _ = conn.Write(line) // the kernel may drop it as well
		}
		if n := s.metric("haproxyzk_log_lines_lost_total"); n == 0 {
			return fmt.Errorf("none is counted")
		}
		return nil
	})
}

// The last lines of a stop are logged.
func TestStopLogsCutConnections(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"stop_grace": "3s"} })
		a := s.app(front)
		s.serves(front, a)
		var slow []<-chan error
		for range 3 {
			slow = append(slow, s.slow(a, time.Minute))
		}
		short := s.slow(a, 500*time.Millisecond)
		s.stopped()
		for _, outcome := range slow {
			if err := <-outcome; err == nil {
				t.Error("a request of a minute was answered")
			}
		}
		if err := <-short; err != nil {
			t.Errorf("a short one was cut: %v", err)
		}
		s.says(`"sessions_cut":3`)
	})
}

func TestIdleProxyStopsAtOnce(t *testing.T) {
	inTurn(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.connect()
		s.run(s.configured()...)
		s.ready()
		begun := time.Now()
		s.stopped()
		if took := time.Since(begun); took > time.Second/2 {
			t.Errorf("it took %v", took)
		}
		s.says(`"sessions_cut":0`)
	})
}
