package supervisor

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// TestExitsAreReported kills a serving worker, and lets the other one finish.
func TestExitsAreReported(t *testing.T) {
	reported := make(chan registry.Event, 10)
	s := startStage(t, Options{Report: func(e registry.Event) { reported <- e }})
	expect := func(reason, detail string) {
		t.Helper()
		select {
		case e := <-reported:
			if want := (registry.Event{Kind: registry.EventWorkerExit, Reason: reason, Detail: detail}); e != want {
				t.Errorf("reported %v, want %v", e, want)
			}
		case <-time.After(soon):
			t.Fatal("nothing is reported")
		}
	}
	pids := s.reload("workers 2")
	kill(t, pids[0], unix.SIGKILL)
	expect("died", fmt.Sprintf("process %d: killed by SIGKILL", pids[0]))
	s.reload("")
	expect("drained", fmt.Sprintf("process %d: exit code 0", pids[1]))
}
