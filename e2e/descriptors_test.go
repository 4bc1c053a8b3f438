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

// descriptors returns the targets of a process's descriptors, from 3 on, and how many it
// has of each.
func descriptors(t *testing.T, pid int) map[string]int {
	t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	links, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int)
	for _, link := range links {
		if n, err := strconv.Atoi(link.Name()); err != nil || n < 3 {
			continue
		}
		to, err := os.Readlink(filepath.Join(dir, link.Name()))
		if err == nil {
			found[to]++
		}
	}
	return found
}

// HAProxy inherits neither the daemon's inherited descriptors nor those it opened
// itself, its connection to ZooKeeper and its listeners. It has its own listening sockets
// once, although the daemon keeps them.
func TestHAProxyInheritsNoDescriptors(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		secret, err := os.Create(filepath.Join(s.home, "secret"))
		if err != nil {
			t.Fatal(err)
		}
		defer secret.Close()
		s.connect()
		s.runAs(rig.DaemonOptions{Env: s.configured(), Inherits: []*os.File{secret}})
		s.ready()
		first := s.pids()
		s.signal(syscall.SIGUSR2)
		s.renewed(first)
		s.holds()
		ours, kept := descriptors(t, s.daemon.PID()), int(s.metric("haproxyzk_listeners_held"))
		if ours[secret.Name()] == 0 {
			t.Fatalf("the daemon has not inherited it: %v", ours)
		}
		for _, pid := range s.pids() {
			theirs := descriptors(t, pid)
			if len(theirs) == 0 {
				t.Errorf("worker %d has none", pid)
			}
			shared := 0
			for to, n := range theirs {
				switch {
				case ours[to] == 0 || strings.HasPrefix(to, "anon_inode:"): // all epoll descriptors have the same name
				case strings.HasPrefix(to, "socket:") && n == 1:
					shared++
				default:
					t.Errorf("worker %d has %s %d times", pid, to, n)
				}
			}
			if shared != kept {
				t.Errorf("worker %d shares %d sockets, %d are kept", pid, shared, kept)
			}
		}
		s.stopped()
	})
}

// exhaust leaves a process without free descriptors until restore is called.
func exhaust(t *testing.T, pid int) (restore func()) {
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
	limit(3) // every descriptor is below the limit
	return func() { limit(before.Cur) }
}

// A daemon that is out of descriptors takes no worker for dead. No worker is replaced,
// requests wait, and everything recovers once there are descriptors.
func TestFileDescriptorsExhausted(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Groups[0].MaxServer = 3 })
		apps := s.apps(2, front)
		s.serves(front, apps...)
		before, open := s.pids(), len(descriptors(t, s.daemon.PID()))
		reloads := s.metric("haproxyzk_reloads_total")
		load := s.load(rig.Target{Path: "/", App: front})
		release := exhaust(t, s.daemon.PID())

		apps = append(apps, s.apps(2, front)...) // more than there are slots
		s.do("unregister", apps[0].Unregister)
		s.says("out of file descriptors: cannot update workers")
		s.says("reload failed")
		client, err := net.Dial("tcp", s.http)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		s.says("cannot accept queries")
		s.signal(syscall.SIGUSR2)
		// The workers are queried ten times a second.
		if err := rig.Eventually(t.Context(), 3*time.Second, func() error { return s.compareWorkers(front, apps[1:]...) }); err == nil {
			t.Error("the daemon had descriptors")
		}
		s.keepsPIDs(before)

		release()
		s.serves(front, apps[1:]...)
		s.renewed(before)
		for _, told := range []string{"out of file descriptors", "file descriptors are available again", "cannot accept queries", "queries are accepted again", "reload failed", "reloads succeed again"} {
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
			// The connection of the last query may still be open.
			if now := len(descriptors(t, s.daemon.PID())); now > open+1 {
				return fmt.Errorf("%d descriptors, before %d", now, open)
			}
			return nil
		})
		s.stopped()
	})
}

// Clients of the query API get at most half of the descriptors: HAProxy's sockets and
// reloads get by whatever their number.
func TestQueriesLeaveDescriptors(t *testing.T) {
	const files = 700 // HAProxy needs more than 500
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
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
		if n := s.said("out of file descriptors") + s.said("too many open files"); n > 0 {
			t.Errorf("descriptors were missing %d times", n)
		}
		s.eventually("all are used", func() error { return used(load, apps) })
		s.lost(load)
		s.stopped()
	})
}

// Free slots need no descriptor: a backend with many of them does not prevent the
// start.
func TestFreeSlotsBeyondTheLimitOfOpenFiles(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) { c.Groups[0].MaxServer = 2000 })
		s.connect()
		s.runAs(rig.DaemonOptions{Env: s.configured(), Files: 1000})
		s.ready()
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		s.eventually("it is used", func() error { return used(load, []*rig.App{a}) })
		s.signal(syscall.SIGUSR2)
		s.reaches(1, "haproxyzk_reloads_total", `cause="signal"`, `result="ok"`)
		s.lost(load)
		s.stopped()
	})
}
