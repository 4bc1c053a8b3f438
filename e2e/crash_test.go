package e2e

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// pids reads the pid file of HAProxy, which is not there while HAProxy starts.
func (s *stage) pids() []int {
	s.t.Helper()
	var pids []int
	s.eventually("the pid file", func() error {
		text, err := os.ReadFile(s.config.PIDFile())
		if err != nil {
			return err
		}
		pids = pids[:0]
		for word := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				return err
			}
			pids = append(pids, pid)
		}
		if len(pids) == 0 {
			return errors.New("no pid in it yet")
		}
		return nil
	})
	return pids
}

// replaced waits until none of the workers is one of old, as many run, and the
// daemon is ready.
func (s *stage) replaced(old []int) {
	s.t.Helper()
	s.eventually("the workers are replaced", func() error {
		now := s.pids()
		if len(now) != len(old) || now[0] == old[0] {
			return fmt.Errorf("workers %v, before %v", now, old)
		}
		for _, pid := range old {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("worker %d is still there: %w", pid, err)
			}
		}
		return nil
	})
	s.ready()
}

func TestKilledWorkerIsReplaced(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		if len(before) != workers(h) {
			t.Fatalf("workers %v", before)
		}
		if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.replaced(before)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		b := s.app(front)
		s.serves(front, a, b)
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })
		s.lost(load)
		s.stopped()
	})
}

func TestHangingWorkerIsReplaced(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		// Its stats socket accepts, and never answers.
		if err := syscall.Kill(before[0], syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		b := s.app(front)
		s.replaced(before)
		s.serves(front, a, b)
		load := s.load(rig.Target{Path: "/", App: front})
		s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })
		s.lost(load)
	})
}
