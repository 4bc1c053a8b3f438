package supervisor

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// generationsAre waits for the pids of each generation, the serving one first.
func (s *stage) generationsAre(serving []int, draining ...[]int) {
	s.t.Helper()
	want := draining
	if serving != nil {
		want = append([][]int{serving}, draining...)
	}
	eventually(s.t, "the generations are as expected", func() bool {
		i := -1
		return slices.EqualFunc(s.Generations(), want, func(g Generation, pids []int) bool {
			i++
			return slices.Equal(g.PIDs, pids) && g.Draining == (serving == nil || i > 0) && !g.Since.IsZero()
		})
	})
	s.waitForMetric(float64(len(want)), "generations", "ngboss")
}

func TestGenerations(t *testing.T) {
	s := newStage(t, Options{MaxGenerations: 2, StopGrace: soon})
	if got := s.Generations(); len(got) > 0 || s.Crowded() {
		t.Errorf("before the start: %v", got)
	}
	s.begin()
	begun := time.Now()
	first := s.reload("workers 2 busy")
	if got := s.Generations(); len(got) != 1 || got[0].Draining || !slices.Equal(got[0].PIDs, first) || got[0].Since.Before(begun) {
		t.Errorf("after the start: %v", got)
	}
	second := s.reload("workers 2 busy")
	s.generationsAre(second, first)
	if s.Crowded() {
		t.Error("one is a crowd")
	}
	third := s.reload("busy")
	s.generationsAre(third, first, second)
	if got := s.Generations(); got[1].Since.After(got[2].Since) || got[2].Since.After(got[0].Since.Add(time.Second)) {
		t.Errorf("they changed at %v", got)
	}
	if !s.Crowded() {
		t.Error("two are no crowd")
	}

	kill(t, first[0], unix.SIGUSR2)
	s.generationsAre(third, first[1:], second)
	kill(t, first[1], unix.SIGUSR2)
	s.generationsAre(third, second)
	if s.Crowded() {
		t.Error("one is a crowd again")
	}

	s.stop()
	s.generationsAre(nil, second, third)
	for _, pid := range slices.Concat(second, third) {
		eventually(t, "it knows that it is to finish", func() bool { return slices.Contains(s.signals(pid), "SIGUSR1") })
		kill(t, pid, unix.SIGUSR2)
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if got := s.Generations(); len(got) > 0 {
		t.Errorf("after the stop: %v", got)
	}
}

func TestMaxGenerationsDefaultsToEight(t *testing.T) {
	h := New(Options{})
	drain := make([]Generation, maxGenerations)
	for i := range drain {
		drain[i].Draining = true
	}
	all := append([]Generation{{PIDs: []int{2}}}, drain[1:]...)
	if h.generations.Store(&all); h.Crowded() {
		t.Errorf("%d are a crowd", len(all)-1)
	}
	if all = append(all, drain[0]); !h.Crowded() {
		t.Errorf("%d are no crowd", len(all)-1)
	}
}

// A signal that haproxy-zk did not send is a crash, even if the worker was draining.
func TestCrashOfDrainingWorkerIsCounted(t *testing.T) {
	s := startStage(t, Options{})
	old := s.reload("workers 3 busy")
	next := s.reload("")
	for i, pid := range old[:2] {
		kill(t, pid, unix.SIGKILL)
		s.waitForMetric(float64(1+i), "worker_exits_total", "died")
	}
	kill(t, old[2], unix.SIGUSR2)
	s.waitForMetric(1, "worker_exits_total", "drained")
	s.waitForMetric(0, "worker_exits_total", "killed")
	s.generationsAre(next)
	if len(s.Died()) > 0 {
		t.Error("the crash of a replaced worker asks for a restoration")
	}
}
