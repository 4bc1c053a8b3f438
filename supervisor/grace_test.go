package supervisor

import (
	"slices"
	"testing"
	"time"
)

func TestStopWaitsForGraceToStart(t *testing.T) {
	begins := make(chan struct{})
	s := startStage(t, Options{StopGrace: time.Nanosecond, GraceStarts: func() <-chan struct{} { return begins }})
	pids := s.reload("workers 2 busy")
	s.stop()
	for _, pid := range pids {
		eventually(t, "it is asked to finish", func() bool { return slices.Contains(s.signals(pid), "SIGUSR1") })
	}
	select {
	case <-s.over:
		t.Fatal("the grace began by itself")
	default:
	}
	close(begins)
	if err := s.end(); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		if got := s.signals(pid); !slices.Equal(got, []string{"SIGUSR1", "SIGTERM"}) {
			t.Errorf("worker %d got %q", pid, got)
		}
	}
}

func TestHurryEndsGrace(t *testing.T) {
	for _, tt := range []struct {
		name string
		soft func() <-chan struct{}
	}{
		{"that counts", nil},
		{"that has not begun", func() <-chan struct{} { return make(chan struct{}) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hurry := make(chan struct{})
			s := startStage(t, Options{StopGrace: time.Hour, GraceStarts: tt.soft, GraceOver: hurry})
			pids := s.reload("workers 2 busy")
			s.stop()
			eventually(t, "it is asked to finish", func() bool { return slices.Contains(s.signals(pids[1]), "SIGUSR1") })
			close(hurry)
			if err := s.end(); err != nil {
				t.Error(err)
			}
			if got := s.signals(pids[0]); !slices.Equal(got, []string{"SIGUSR1", "SIGTERM"}) {
				t.Errorf("it got %q", got)
			}
		})
	}
}

func TestLatestLimitsApply(t *testing.T) {
	s := startStage(t, Options{StopGrace: time.Hour})
	pids := s.reload("workers 1 busy")
	s.SetLimits(time.Nanosecond, 0, 0)
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if got := s.signals(pids[0]); !slices.Equal(got, []string{"SIGUSR1", "SIGTERM"}) {
		t.Errorf("it got %q", got)
	}
}
