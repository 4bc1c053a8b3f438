package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// services is the directory of a stage's instances.
func (s *stage) services() string { return filepath.Join(s.home, "services") }

// fromFiles prepares a stage whose instances are files in a directory, without ZooKeeper
// unless change sets it.
func fromFiles(t *testing.T, h rig.HAProxy, change func(*rig.SeedConfig)) *stage {
	t.Helper()
	s := newStage(t, h, func(c *rig.SeedConfig) { c.ZKAddr = "" })
	s.config.Extra = map[string]any{"dir": s.services()}
	for i := range s.config.Groups {
		s.config.Groups[i].ZKPath = ""
	}
	if change != nil {
		change(s.config)
	}
	s.mkdir(s.services())
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) mkdir(dir string) {
	s.t.Helper()
	s.must(os.MkdirAll(dir, 0o755))
}

// instanceFile returns the path of an instance's file.
func (s *stage) instanceFile(group string, app *rig.App) string {
	return filepath.Join(s.services(), group, "instances", app.Addr())
}

// filed starts an instance and creates its file.
func (s *stage) filed(group string) *rig.App {
	s.t.Helper()
	app := s.unregistered(group)
	s.create(s.instanceFile(group, app), "")
	return app
}

// create writes a file in the directory, and the directories above it.
func (s *stage) create(path, text string) {
	s.t.Helper()
	s.mkdir(filepath.Dir(path))
	s.must(os.WriteFile(path, []byte(text), 0o644))
}

// renamed writes a file aside and renames it.
func (s *stage) renamed(path, text string) {
	s.t.Helper()
	aside := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	s.create(aside, text)
	s.must(os.Rename(aside, path))
}

func TestFilesServeWithoutALostRequest(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, nil)
		a := s.filed(front)
		s.start()
		s.ready()
		s.serves(front, a)
		s.serves(base)
		load := s.load(rig.Target{Path: "/", App: front})
		for range 5 {
			next := s.filed(front)
			s.serves(front, a, next)
			s.must(os.Remove(s.instanceFile(front, a)))
			s.serves(front, next)
			a = next
		}

		// A file that is renamed, and a list of instances.
		b := s.unregistered(front)
		s.must(os.Rename(s.instanceFile(front, a), s.instanceFile(front, b)))
		s.serves(front, b)
		c, d := s.unregistered(front), s.unregistered(front)
		list := filepath.Join(s.services(), front+".instances")
		s.renamed(list, "# by hand\n"+c.Addr()+"\n")
		s.serves(front, b, c)
		s.renamed(list, d.Addr()+"\n"+b.Addr()+"\n")
		s.serves(front, b, d)
		s.must(os.Remove(s.instanceFile(front, b)))
		s.serves(front, b, d) // the list still has it
		s.lost(load)
		if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, `"directory":"readable"`) || strings.Contains(body, "zookeeper") {
			t.Errorf("%d %s", code, body)
		}
		if err := errors.Join(s.counts(1, "haproxyzk_directory_readable"), s.counts(1, "haproxyzk_directory_watched"), s.counts(0, "haproxyzk_directory_skipped")); err != nil {
			t.Error(err)
		}
		s.stopped()
	})
}

// Files are read in every format of znodes, with their content as data.
func TestContentOfFilesServes(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, func(c *rig.SeedConfig) { c.Extra["zk.format"] = "curator" })
		s.config.Groups = []rig.Group{{Name: front, DefaultBackend: true}, {Name: base, Extra: map[string]any{"format": "auto"}}}
		a, b := s.unregistered(front), s.unregistered(front)
		file := filepath.Join(s.services(), front, "instances", "a")
		s.renamed(file, springPayload(a, `"weight":"30"`))
		s.renamed(filepath.Join(filepath.Dir(file), "b"), springPayload(b, ""))
		c, d := s.filed(base), s.unregistered(base)
		s.renamed(filepath.Join(s.services(), base, "instances", curatorID), springPayload(d, ""))
		s.start()
		s.ready()
		s.serves(front, a, b)
		s.serves(base, c, d)
		is := func(what, stateA string) {
			t.Helper()
			s.eventually(what, func() error {
				return s.weighs(front, map[string]string{a.Addr(): stateA, b.Addr(): "ready 100"})
			})
		}
		is("a third", "ready 30")
		load := s.load(rig.Target{Path: "/", App: front})
		s.renamed(file, springPayload(a, `"instance_status":"OUT_OF_SERVICE"`))
		is("drained", "drain 0")
		s.renamed(file, springPayload(a, `"weight":"60"`))
		is("it is back", "ready 60")
		s.must(os.Remove(file))
		s.serves(front, b)
		s.lost(load)
		if _, body := s.get("/readyz"); !strings.Contains(body, `"formats":{"`+base+`":{"curator":1},"`+front+`":{"curator":1}}`) {
			t.Errorf("the formats are not in %s", body)
		}
	})
}

// volume writes files as the kubelet does for a ConfigMap, see
// https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go.
func (s *stage) volume(version int, files map[string]string) {
	s.t.Helper()
	dir, stamp := s.services(), fmt.Sprintf("..2026_01_02_03_04_%02d.123456789", version)
	for name, text := range files {
		s.create(filepath.Join(dir, stamp, name), text)
	}
	before, _ := os.Readlink(dir + "/..data") // none at first
	s.must(os.Symlink(stamp, dir+"/..data_tmp"))
	s.must(os.Rename(dir+"/..data_tmp", dir+"/..data"))
	for name := range files {
		if err := os.Symlink("..data/"+name, filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrExist) {
			s.t.Fatal(err)
		}
	}
	if before != "" {
		s.must(os.RemoveAll(filepath.Join(dir, before)))
	}
}

func TestConfigMapServes(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, nil)
		a, b := s.unregistered(front), s.unregistered(base)
		s.volume(1, map[string]string{front + ".instances": a.Addr() + "\n", base + ".instances": b.Addr()})
		s.start()
		s.ready()
		s.serves(front, a)
		s.serves(base, b)
		load := s.load(through()...)
		for version := range 5 {
			next := s.unregistered(front)
			s.volume(2+2*version, map[string]string{front + ".instances": a.Addr() + "\n" + next.Addr(), base + ".instances": b.Addr()})
			s.serves(front, a, next)
			s.volume(3+2*version, map[string]string{front + ".instances": next.Addr(), base + ".instances": b.Addr()})
			s.serves(front, next)
			a = next
		}
		s.lost(load)
		if n := len(s.logged("cannot read a group of the directory, the instances known stay")); n > 0 {
			t.Errorf("%d groups could not be read", n)
		}
	})
}

// A hundred thousand files, FIFOs, sockets and links are reported, and neither block nor
// hide anything.
func TestHostileDirectory(t *testing.T) {
	// Beside others a hundred thousand files take longer than a file system may.
	someInTurn(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, discovering)
		huge := filepath.Join(s.services(), "huge", "instances")
		s.mkdir(huge)
		if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() { // a disk would take minutes
			dir, err := os.MkdirTemp("/dev/shm", "hz-")
			s.must(err)
			t.Cleanup(func() { s.must(os.RemoveAll(dir)) })
			s.config.Extra["dir"] = dir
			huge = filepath.Join(dir, "huge", "instances")
			s.mkdir(huge)
			s.must(os.RemoveAll(s.services()))
			s.must(os.Symlink(dir, s.services()))
		}
		for i := range 100_000 {
			f, err := os.Create(fmt.Sprintf("%s/no-instance-%d", huge, i))
			s.must(err)
			s.must(f.Close())
		}
		a := s.filed(front)
		in := filepath.Join(s.services(), front, "instances")
		s.must(errors.Join(
			syscall.Mkfifo(in+"/10.0.0.1:80", 0o600),
			syscall.Mkfifo(s.services()+"/pipe", 0o600),
			os.Symlink("/etc", in+"/10.0.0.2:80"),
			os.Symlink("/", s.services()+"/root"),
			os.Mkdir(in+"/10.0.0.3:80", 0o700),
		))
		l, err := net.Listen("unix", in+"/10.0.0.4:80")
		s.must(err)
		defer l.Close()
		s.create(in+"/\x1b[31mweb:80", "")
		s.start()
		s.ready()
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		s.eventually("it is reported", func() error {
			_, body := s.get("/readyz")
			for _, want := range []string{
				`{"kind":"other","count":100000,"example":"no-instance-`, `{"kind":"not_a_file","count":1,"example":"pipe"`,
				`{"kind":"not_a_file","count":1,"example":"root"`, `{"kind":"not_a_file","count":1,"example":"10.0.0.1:80"`,
			} {
				if !strings.Contains(body, want) {
					return fmt.Errorf("no %s in %s", want, body)
				}
			}
			return nil
		})
		b := s.filed(front)
		s.serves(front, a, b)
		s.must(os.Remove(s.instanceFile(front, a)))
		s.serves(front, b)
		s.lost(load)
		if lines := s.logged("skipping entries of the directory that are not usable instances"); len(lines) < 5 || len(lines) > 20 {
			t.Errorf("%d lines", len(lines))
		}
		if n := s.metric("haproxyzk_directory_skipped"); n != 100_007 {
			t.Errorf("%v are skipped", n)
		}
		_, found := s.findings(s.written(), "--online")
		wants(t, found, "warning", "ngboss.dir", `a FIFO, which is not used`)
		wants(t, found, "warning", "ngboss.dir", `100000 names skipped, as "no-instance-`)
	})
}

// A directory that is removed is like a ZooKeeper that is away.
func TestLostDirectoryKeepsInstances(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, nil)
		a := s.filed(front)
		s.start()
		s.ready()
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		s.must(os.Rename(s.services(), s.services()+".old"))
		s.eventually("it is reported", func() error {
			code, body := s.get("/readyz")
			response, err := http.Get("http://" + s.http + "/ngboss")
			if err != nil {
				return err
			}
			response.Body.Close()
			if code != http.StatusOK || !strings.Contains(body, "no such file") || response.Header.Get("Haproxy-Zk-Stale") != "1" {
				return fmt.Errorf("%d %s %v", code, body, response.Header)
			}
			return s.counts(0, "haproxyzk_directory_readable")
		})
		s.serves(front, a)
		s.logs("cannot read the directory, the instances known stay")
		b := s.unregistered(front)
		s.create(s.instanceFile(front, a), "")
		s.create(s.instanceFile(front, b), "")
		s.serves(front, a, b)
		s.logs("directory can be read again")
		s.must(os.RemoveAll(s.services() + ".old"))
		c := s.filed(front) // the new one is watched
		s.serves(front, a, b, c)
		s.lost(load)
		if _, body := s.get("/events"); !strings.Contains(body, "directory_lost") || !strings.Contains(body, "directory_back") {
			t.Errorf("no event: %s", body)
		}
	})
}

func TestStartWithoutDirectory(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, nil)
		s.must(os.Remove(s.services()))
		s.start()
		s.eventually("it says why it waits", func() error {
			if code, body := s.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "no such file") {
				return fmt.Errorf("%d %s", code, body)
			}
			return nil
		})
		a := s.filed(front)
		s.ready()
		s.serves(front, a)
	})
}

// The README's first command sets nothing but the directory.
func TestDirectoryOfTheEnvironment(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, nil)
		listener := s.port()
		s.run("SERVICES_DIR="+s.services(), "EXEC="+h.Path, fmt.Sprintf("LISTENER_PORT=%d", listener), fmt.Sprintf("ADMIN_PORT=%d", s.port()))
		s.ready()
		web := s.filed("web")
		s.eventually("it serves", func() error { return s.answersAt(listener, "/web/", web) })
		s.must(os.RemoveAll(filepath.Join(s.services(), "web")))
		s.eventually("it is gone", func() error {
			if err := s.answersAt(listener, "/web/", web); err == nil {
				return errors.New("it serves")
			}
			return nil
		})
	})
}

func TestWrittenInstancesServe(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, nil)
		a, b := s.unregistered(front), s.unregistered(base)
		s.config.Extra, s.config.ListenerPort = nil, s.port()
		s.config.Groups[0].Extra = map[string]any{"instances": []string{a.Addr(), s.config.Listener()}}
		s.config.Groups[1].Extra = map[string]any{"instances": []string{b.Addr()}}
		s.start()
		s.ready()
		s.serves(front, a)
		s.serves(base, b)
		s.eventually("its own listener is refused", func() error {
			return s.finds(front, 1, "refused 1 "+s.config.Listener())
		})
		load := s.load(through()...)
		c := s.unregistered(front)
		s.config.Groups[0].Extra["instances"] = []string{c.Addr()}
		s.applied()
		s.serves(front, c)
		s.lost(load)
	})
}

// applied writes the configuration and lets the daemon read it.
func (s *stage) applied() {
	s.t.Helper()
	_, err := s.config.Write(s.home)
	s.must(err)
	s.must(s.daemon.Signal(syscall.SIGHUP))
}

func TestSourcesAreMerged(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, func(c *rig.SeedConfig) { c.ZKAddr = shared.zookeeper.Addr() })
		s.connect()
		written := s.unregistered(front)
		s.config.Groups[0].Extra = map[string]any{"instances": []string{written.Addr()}}
		registered := s.app(front)
		filed := s.filed(front)
		both := s.app(front)
		s.create(s.instanceFile(front, both), "")
		s.start()
		s.ready()
		s.serves(front, written, registered, filed, both)
		load := s.load(rig.Target{Path: "/", App: front})
		s.must(s.registry.Unregister(s.node(front), both.Addr()))
		s.must(os.Remove(s.instanceFile(front, filed)))
		s.serves(front, written, registered, both)
		s.must(os.Remove(s.instanceFile(front, both)))
		s.serves(front, written, registered)
		if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, `"zookeeper":"connected"`) || !strings.Contains(body, `"directory":"readable"`) {
			t.Errorf("%d %s", code, body)
		}

		// The directory is away: ZooKeeper still changes what is served.
		s.create(s.instanceFile(front, filed), "")
		s.serves(front, written, registered, filed)
		s.must(os.Rename(s.services(), s.services()+".away"))
		s.must(s.registry.Unregister(s.node(front), registered.Addr()))
		s.serves(front, written, filed)
		s.must(os.Rename(s.services()+".away", s.services()))
		s.eventually("it is back", func() error { return s.counts(1, "haproxyzk_directory_readable") })
		next := s.app(front)
		s.serves(front, written, filed, next)
		s.lost(load)
	})
}

// With ZooKeeper away and no cache, what the directory has is served.
func TestDirectoryServesWhileZooKeeperIsAway(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, nil)
		s.config.ZKAddr = fmt.Sprintf("127.0.0.1:%d", s.port())
		a := s.filed(front)
		s.start()
		s.serves(front, a)
		s.eventually("it says so", func() error {
			if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, `"recalled":["`+front) && !strings.Contains(body, front+`"]`) {
				return fmt.Errorf("%d %s", code, body)
			}
			return nil
		})
		b := s.filed(front)
		s.serves(front, a, b)
	})
}

func TestReloadReplacesZooKeeperByDirectory(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b, load := s.both()
		s.mkdir(s.services())
		next := s.filed(front)
		s.create(s.instanceFile(base, b), "")
		zookeeper := s.config.ZKAddr
		s.config.ZKAddr, s.config.Extra = "", map[string]any{"dir": s.services()}
		s.applied()
		s.serves(front, next)
		s.serves(base, b)
		more := s.filed(front)
		s.serves(front, next, more)

		// And back: a directory that does not exist would change nothing.
		s.config.ZKAddr, s.config.Extra = zookeeper, nil
		s.applied()
		s.serves(front, a)
		s.serves(base, b)
		s.lost(load)
		s.eventually("the directory is no longer followed", func() error {
			if _, metrics := s.get("/metrics"); strings.Contains(metrics, "haproxyzk_directory_readable{") {
				return errors.New("it has metrics")
			}
			return nil
		})
		s.stopped()
	})
}
