package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// exhaust leaves a process no descriptor but those that it has, until release is
// called.
func exhaust(t *testing.T, pid int) (release func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	limit := func(cur uint64) {
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: cur, Max: before.Max}, nil); err != nil {
			t.Fatal(err)
		}
	}
	limit(3) // a descriptor is below the limit
	return func() { limit(before.Cur) }
}

// A daemon without a descriptor to be had takes no worker for dead. Nobody is
// replaced, what is asked of it waits, and all of it comes by itself once there
// are some.
func TestDescriptorsUsedUp(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Groups[0].MaxServer = 3 })
		apps := s.apps(2, front)
		s.serves(front, apps...)
		before, open := s.pids(), len(descriptors(t, s.daemon.PID()))
		reloads := s.metric("haproxyzk_reloads_total")
		load := s.load(rig.Target{Path: "/", App: front})
		release := exhaust(t, s.daemon.PID())

		apps = append(apps, s.apps(2, front)...) // more than there are slots
		s.do("unregister", apps[0].Unregister)
		s.says("no descriptor is left to ask the workers with")
		s.says("cannot reload")
		client, err := net.Dial("tcp", s.http)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		s.says("cannot accept queries")
		s.signal(syscall.SIGUSR2)
		// The workers are asked ten times a second.
		if err := rig.Eventually(t.Context(), 3*time.Second, func() error { return s.compareWorkers(front, apps[1:]...) }); err == nil {
			t.Error("the daemon had descriptors")
		}
		s.keepsPIDs(before)

		release()
		s.serves(front, apps[1:]...)
		s.renewed(before)
		for _, told := range []string{"no descriptor is left to ask", "there are descriptors again", "cannot accept queries", "queries are accepted again", "cannot reload", "reloads succeed again"} {
			s.once(told)
		}
		if n := s.metric("haproxyzk_reloads_total", `result="ok"`); n > reloads+2 {
			t.Errorf("%v reloads, before %v", n, reloads)
		}
		if n := s.metric("haproxyzk_reloads_total", `cause="worker does not answer"`); n > 0 {
			t.Errorf("a worker was taken for dead %v times", n)
		}
		s.eventually("all are used", func() error { return used(load, apps) })
		s.lost(load)
		client.Close()
		s.eventually("nothing has leaked", func() error {
			// The connection of the last query may still be there.
			if now := len(descriptors(t, s.daemon.PID())); now > open+1 {
				return fmt.Errorf("%d descriptors, before %d", now, open)
			}
			return nil
		})
		s.stopped()
	})
}

// Clients of the query API get half of the descriptors at most: HAProxy's sockets
// and reloads find some beside any number of them.
func TestQueriesLeaveDescriptors(t *testing.T) {
	const files = 700 // the slots need more than 500
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) { c.Groups[0].MaxServer = 2 })
		s.connect()
		s.runAs(rig.DaemonOptions{Env: s.configured(), Files: files})
		s.ready()
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		var clients []net.Conn
		defer func() {
			for _, c := range clients {
				c.Close()
			}
		}()
		crowd := func() {
			for range 2 * files {
				c, err := net.Dial("tcp", s.http)
				if err != nil {
					t.Fatal(err)
				}
				clients = append(clients, c)
			}
		}
		crowd()
		before := s.pids()
		apps := append(s.apps(3, front), a) // more than there are slots
		s.served(front, apps...)
		crowd()
		s.do("unregister", a.Unregister)
		s.served(front, apps[:3]...)
		s.ended(before)
		for _, c := range clients {
			c.Close()
		}
		s.serves(front, apps[:3]...)
		if n := s.said("no descriptor") + s.said("too many open files"); n > 0 {
			t.Errorf("descriptors were missing %d times", n)
		}
		s.eventually("all are used", func() error { return used(load, apps) })
		s.lost(load)
		s.stopped()
	})
}
