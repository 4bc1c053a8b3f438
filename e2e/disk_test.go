package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// disk mounts a small file system on a directory of the daemon's home, which must be
// empty.
func (s *stage) disk(folder string) *rig.Disk {
	s.t.Helper()
	d, err := rig.MountDisk(filepath.Join(s.home, folder))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := d.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return d
}

func (s *stage) do(what string, deed func() error) {
	s.t.Helper()
	if err := deed(); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// said counts the daemon's lines that contain all of these words.
func (s *stage) said(words ...string) (n int) {
lines:
	for line := range strings.Lines(s.daemon.Output()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		n++
	}
	return n
}

// once waits until a line with these words was written, and asserts that it is the only
// one.
func (s *stage) once(words ...string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%q is logged", words), func() error {
		if s.said(words...) == 0 {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	if n := s.said(words...); n != 1 {
		s.t.Errorf("%q was logged %d times", words, n)
	}
}

const fullDisk = "no space left on device"

// full are the ways to fill a disk.
var full = map[string]func(*rig.Disk) error{
	"bytes": (*rig.Disk).Fill,
	"files": (*rig.Disk).FillNodes,
}

// If the rendered configuration cannot be written, instances still enter and leave.
// Changes that need a reload wait, without affecting what serves, and are made once
// there is free space.
func TestDiskOfTheConfigurationIsFull(t *testing.T) {
	needs.Namespaces(t)
	t.Parallel()
	for name, fill := range full {
		t.Run(name, func(t *testing.T) {
			onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
				s := newStage(t, h, func(c *rig.SeedConfig) { c.Groups[0].MaxServer = 4 })
				d := s.disk("etc")
				s.connect()
				s.start()
				s.ready()
				apps := s.apps(2, front)
				s.serves(front, apps...)
				s.fileHas(front, apps...)
				before, conf := s.pids(), s.file(s.config.ConfFile())
				load := s.load(rig.Target{Path: "/", App: front})
				s.do("fill the disk", func() error { return fill(d) })

				apps = append(apps, s.app(front))
				s.serves(front, apps...)
				s.do("unregister", apps[0].Unregister)
				apps = apps[1:]
				s.serves(front, apps...)

				s.signal(syscall.SIGUSR2)
				s.reaches(3, "haproxyzk_reloads_total", `result="error"`)
				apps = append(apps, s.app(front))
				s.serves(front, apps...)
				apps = append(apps, s.apps(4, front)...) // more than there are slots
				s.reaches(5, "haproxyzk_reloads_total", `result="error"`)
				s.amongThose(front, apps[:3]...)
				s.keepsPIDs(before)
				if now := s.file(s.config.ConfFile()); now != conf {
					t.Errorf("the configuration became\n%s", now)
				}
				s.once("reload failed", fullDisk, s.config.ConfFile())
				s.once("cannot rewrite the configuration file", fullDisk, s.config.ConfFile())
				s.nothingBeside(s.config.ConfFile())

				s.do("free the disk", d.Free)
				s.serves(front, apps...)
				s.renewed(before)
				s.once("reloads succeed again")
				s.fileHas(front, apps...)
				s.once("the configuration file is again what HAProxy runs")
				s.eventually("all are used", func() error { return used(load, apps) })
				s.nothingBeside(s.config.ConfFile())
				s.lost(load)
				s.stopped()
			})
		})
	}
}

// HAProxy does not notice that its pid file cannot be written: its workers are known
// anyway, also after a crash of the daemon, and are written to the file once there is
// free space.
func TestDiskOfThePIDFileIsFull(t *testing.T) {
	needs.Namespaces(t)
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) {
			c.Template = patient(h)
			c.Groups[0].MaxServer = 2
		})
		d := s.disk("logs")
		s.connect()
		s.start()
		s.ready()
		apps := s.apps(2, front)
		s.serves(front, apps...)
		first := s.pids()
		load := s.load(rig.Target{Path: "/", App: front})
		// Otherwise the next pid file would get the space of the first one.
		pinned := filepath.Join(s.home, "logs", "pinned")
		s.do("pin the pid file", func() error { return os.Link(s.config.PIDFile(), pinned) })
		s.do("fill the disk", d.Fill)

		apps = append(apps, s.apps(2, front)...) // more than there are slots
		s.serves(front, apps...)
		s.ended(first)
		second := s.serving()
		if len(second) != workers(h) || slices.Contains(second, first[0]) {
			t.Errorf("workers %v, before %v", second, first)
		}
		s.signal(syscall.SIGUSR2)
		s.ended(second)
		s.ready()
		if text := s.file(s.config.PIDFile()); text != "" {
			t.Errorf("the disk is not full: pid file %q", text)
		}
		s.once("pid file is incomplete")

		third := s.serving()
		s.crash()
		s.start()
		s.ready()
		s.ended(third)
		s.serves(front, apps...)
		s.once("pid file is incomplete")

		s.do("free the disk", d.Free)
		s.eventually("the pid file names the workers", func() error {
			if text := strings.Fields(s.file(s.config.PIDFile())); len(text) != workers(h) {
				return fmt.Errorf("pid file %q", text)
			}
			return nil
		})
		s.own(h)
		s.once("pid file is complete again")
		before := s.pids()
		s.signal(syscall.SIGUSR2)
		s.renewed(before)
		s.eventually("all are used", func() error { return used(load, apps) })
		s.nothingBeside(s.config.PIDFile())
		s.lost(load)
		s.stopped()
	})
}

// If the cache cannot be written nothing else is affected, and it is written once there
// is free space.
func TestDiskOfTheStateIsFull(t *testing.T) {
	needs.Namespaces(t)
	t.Parallel()
	for name, fill := range full {
		t.Run(name, func(t *testing.T) {
			onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
				s := newStage(t, h, nil)
				d := s.disk("state")
				s.connect()
				s.start()
				s.ready()
				apps := []*rig.App{s.app(front)}
				s.serves(front, apps...)
				s.keeps(apps...)
				kept := s.file(s.stateFile())
				load := s.load(rig.Target{Path: "/", App: front})
				s.do("fill the disk", func() error { return fill(d) })
				for n := range 3 {
					apps = append(apps, s.app(front))
					s.serves(front, apps...)
					s.reaches(float64(n+1), "haproxyzk_state_writes_total", `result="error"`)
				}
				before := s.pids()
				s.signal(syscall.SIGUSR2)
				s.renewed(before)
				if now := s.file(s.stateFile()); now != kept {
					t.Errorf("the file became %s", now)
				}
				s.once("cannot write the registration cache", fullDisk, s.stateFile())
				s.nothingBeside(s.stateFile())

				s.do("free the disk", d.Free)
				s.keeps(apps...)
				s.once("registration cache is written again")
				s.lost(load)
				s.stopped()
			})
		})
	}
}

// RUN_DIR only has sockets, which need no free space while the daemon runs.
func TestDiskOfTheRunFolderIsFull(t *testing.T) {
	needs.Namespaces(t)
	t.Parallel()
	for name, fill := range full {
		t.Run(name, func(t *testing.T) {
			onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
				s := newStage(t, h, func(c *rig.SeedConfig) { c.Groups[0].MaxServer = 1 })
				d := s.disk("run")
				s.connect()
				s.start()
				s.ready()
				a := s.app(front)
				s.serves(front, a)
				load := s.load(rig.Target{Path: "/", App: front})
				s.do("fill the disk", func() error { return fill(d) })
				b := s.app(front)
				s.serves(front, a, b) // by a reload
				before := s.pids()
				s.signal(syscall.SIGUSR2)
				s.renewed(before)
				s.eventually("both are used", func() error { return used(load, []*rig.App{a, b}) })
				s.lost(load)
				s.stopped()
			})
		})
	}
}

func (s *stage) file(path string) string {
	s.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// nothingBeside asserts that no temporary or backup file is left beside a file.
func (s *stage) nothingBeside(path string) {
	s.t.Helper()
	for _, suffix := range []string{".new", ".kept"} {
		if _, err := os.Lstat(path + suffix); !os.IsNotExist(err) {
			s.t.Errorf("%s is there: %v", path+suffix, err)
		}
	}
}

// serving returns the workers of the serving generation according to /readyz.
func (s *stage) serving() (pids []int) {
	s.t.Helper()
	s.eventually("the workers are known", func() error {
		condition, err := s.condition()
		if err != nil {
			return err
		}
		for _, g := range condition.Generations {
			if !g.Draining {
				pids = g.PIDs
			}
		}
		if len(pids) == 0 {
			return fmt.Errorf("%+v", condition)
		}
		return nil
	})
	return pids
}

// amongThose waits until at least these instances serve a group in every worker.
func (s *stage) amongThose(group string, apps ...*rig.App) {
	s.t.Helper()
	s.eventually("these serve "+group, func() error {
		for _, socket := range s.config.Sockets() {
			servers, err := rig.ServersState(socket)
			if err != nil {
				return err
			}
			serving := rig.Serving(servers, group)
			for _, addr := range addrs(apps) {
				if !slices.Contains(serving, addr) {
					return fmt.Errorf("%s does not serve behind %s: %v", addr, socket, serving)
				}
			}
		}
		return nil
	})
}
