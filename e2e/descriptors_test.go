package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// descriptors are what those of a process lead to, from 3 on.
func descriptors(t *testing.T, pid int) map[string]bool {
	t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	links, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, link := range links {
		if n, err := strconv.Atoi(link.Name()); err != nil || n < 3 {
			continue
		}
		to, err := os.Readlink(filepath.Join(dir, link.Name()))
		if err == nil {
			found[to] = true
		}
	}
	return found
}

// Neither what the daemon was started with nor what it opened itself, its
// connection to ZooKeeper and its listeners, reaches HAProxy.
func TestHAProxyGetsNoDescriptorOfOurs(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		secret, err := os.Create(filepath.Join(s.home, "secret"))
		if err != nil {
			t.Fatal(err)
		}
		defer secret.Close()
		s.connect()
		s.runAs(rig.DaemonOptions{Env: s.configured(), Inherits: []*os.File{secret}})
		s.ready()
		ours := descriptors(t, s.daemon.PID())
		if !ours[secret.Name()] {
			t.Fatalf("the daemon has not inherited it: %v", ours)
		}
		for _, pid := range s.pids() {
			theirs := descriptors(t, pid)
			if len(theirs) == 0 {
				t.Errorf("worker %d has none", pid)
			}
			for to := range theirs {
				// All event polls are one file to the kernel's names.
				if ours[to] && !strings.HasPrefix(to, "anon_inode:") {
					t.Errorf("worker %d has %s", pid, to)
				}
			}
		}
		s.stopped()
	})
}
