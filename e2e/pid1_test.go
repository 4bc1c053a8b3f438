package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// orphaned is how many orphans each call of HAProxy leaves behind.
const orphaned = 250

// leavesOrphans is a wrapper that does so and counts its calls.
var leavesOrphans = fmt.Sprintf(`echo x >>$home/calls
i=0; while [ $i -lt %d ]; do (: &); i=$((i+1)); done`, orphaned)

func (s *stage) calls() int {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.home, "calls"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Count(string(text), "x")
}

// HAProxy's version makes no difference to its orphans, so that the gate takes one. It
// runs alone: thousands of forks take too long beside other tests.
func TestOrphansAreReaped(t *testing.T) {
	for _, tt := range []struct {
		name  string
		alone bool
	}{{"PID 1", true}, {"a plain process", false}} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.alone {
				needs.Namespaces(t)
			}
			someInTurn(t, func(t *testing.T, h rig.HAProxy) {
				s := newStage(t, h, nil)
				s.wrap(leavesOrphans)
				s.connect()
				a := s.app(front)
				file, err := s.config.Write(s.home)
				if err != nil {
					t.Fatal(err)
				}
				s.runAs(rig.DaemonOptions{Env: []string{"CONFIG=" + file}, Alone: tt.alone})
				s.ready()
				s.serves(front, a)
				status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.daemon.PID()))
				if err != nil {
					t.Fatal(err)
				}
				if first := strings.Contains(string(status), fmt.Sprintf("\nNSpid:\t%d\t1\n", s.daemon.PID())); first != tt.alone {
					t.Errorf("it is PID 1: %t\n%s", first, status)
				}
				load := s.load(rig.Target{Path: "/", App: front})
				before := s.metric("haproxyzk_reloads_total", `result="ok"`)
				s.signal(syscall.SIGUSR2)
				s.reaches(before+1, "haproxyzk_reloads_total", `result="ok"`)
				s.eventually("the old generation ends", func() error {
					if n := s.metric("haproxyzk_generations"); n != 1 {
						return fmt.Errorf("%v generations", n)
					}
					return nil
				})
				s.lost(load)
				if s.calls()*orphaned < 1000 {
					t.Fatalf("HAProxy was called %d times", s.calls())
				}
				s.reaches(float64(s.calls()*orphaned), "haproxyzk_orphans_reaped_total")
				s.eventually("only workers are left", func() error {
					all, err := s.daemon.Descendants()
					want := workers(h)
					if tt.alone {
						want++ // the daemon, below process 1
					}
					if err == nil && len(all) != want {
						err = fmt.Errorf("%v", all)
					}
					return err
				})
				s.stopped()
			})
		})
	}
}
