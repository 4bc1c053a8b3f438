package files

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Whatever else is in the directory is reported with a reason, hides nothing and blocks
// nothing. Above all no FIFO is opened: that would wait for a writer, or end one.
func TestOtherThanFilesIsReported(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) {
		o.Decoder = decoding(decode.Auto)
		o.Groups = []string{"web", "pipe", "loop"}
	})
	p.write("web/instances/10.0.0.1:80", "")
	outside := filepath.Join(t.TempDir(), "10.0.0.66:80")
	p.must(os.WriteFile(outside, []byte("10.0.0.66:80"), 0o600))
	p.must(errors.Join(
		unix.Mkfifo(p.path("web/instances/10.0.0.2:80"), 0o600),
		unix.Mkfifo(p.path("web.instances"), 0o600),
		unix.Mkfifo(p.path("pipe"), 0o600),
		os.Symlink(outside, p.path("web/instances/10.0.0.66:80")),
		os.Symlink("10.0.0.1:80", p.path("web/instances/10.0.0.3:80")),
		os.Symlink(filepath.Dir(outside), p.path("web/instances/dir")),
		os.Symlink("..data/10.0.0.4:80", p.path("web/instances/10.0.0.4:80")), // no volume
		os.Symlink("/", p.path("root")),
		os.Symlink("loop", p.path("loop")),
		os.Mkdir(p.path("web/instances/10.0.0.5:80"), 0o700),
	))
	l, err := net.Listen("unix", p.path("web/instances/s"))
	p.must(err)
	defer l.Close()
	p.write("README", "text")
	p.write("web/instances/evil\x1b[31m\n", "")
	p.write("stray/10.0.0.7:80", "")
	p.start()
	p.expect("web", "10.0.0.1:80")
	for group, want := range map[string]map[registry.FindingKind]int{
		"web":              {registry.Other: 1, registry.NotFile: 4},
		"pipe":             {registry.NotFile: 1},
		"loop":             {registry.NotFile: 1},
		"stray":            {registry.Misplaced: 1},
		registry.AllGroups: {registry.Misplaced: 1, registry.NotFile: 2},
	} {
		for kind, n := range want {
			f := p.finds(group, kind, n)
			if strings.ContainsAny(f.Example, "\x1b\n") || f.Problem == "" || f.Remedy == "" {
				t.Errorf("%s: %+v", group, f)
			}
		}
	}
	for _, r := range p.of.Registrations() {
		t.Logf("%+v", r)
	}
	p.write("web/instances/10.0.0.6:80", "")
	p.expect("web", "10.0.0.1:80", "10.0.0.6:80")
	if fd, err := unix.Open(p.path("web/instances/10.0.0.2:80"), unix.O_WRONLY|unix.O_NONBLOCK, 0); !errors.Is(err, unix.ENXIO) {
		t.Errorf("the FIFO has a reader: %d %v", fd, err)
	}
}

// asNobody reports whether this process lacks root's permission to read everything.
// Otherwise it runs the test in a process that does.
func asNobody(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.v", "-test.run", "^"+t.Name()+"$")
	cmd.Dir, cmd.Env = "/", []string{"TMPDIR=/tmp"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if output, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(output), "PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, output)
	}
	return false
}

// A group that may not be read keeps its list, a file its last content.
func TestUnreadableIsReportedAndKept(t *testing.T) {
	t.Parallel()
	if !asNobody(t) {
		return
	}
	p := newPlace(t, func(o *Options) { o.Decoder = decoding(decode.Auto) })
	p.write("web/instances/a", "10.0.0.1:80")
	p.write("api.instances", "10.0.0.2:80")
	p.write("shop/instances/a", "10.0.0.3:80")
	p.start()
	p.expect("web", "10.0.0.1:80")
	p.expect("api", "10.0.0.2:80")
	p.expect("shop", "10.0.0.3:80")
	p.must(errors.Join(
		os.Chmod(p.path("web/instances/a"), 0),
		os.Chmod(p.path("api.instances"), 0),
		os.Chmod(p.path("shop/instances"), 0),
	))
	denied := func(want string) func() error {
		return func() error {
			if c := p.of.ConnectionStatus(); !c.Connected || !strings.Contains(c.Denied, want) {
				return fmt.Errorf("%+v", c)
			}
			return nil
		}
	}
	p.eventually("denied", denied(p.path("api")+" and 1 more"))
	p.finds("web", registry.Unreadable, 1)
	p.must(errors.Join(p.compare("web", "10.0.0.1:80"), p.compare("api", "10.0.0.2:80"), p.compare("shop", "10.0.0.3:80")))
	p.must(errors.Join(os.Chmod(p.path("api.instances"), 0o600), os.Chmod(p.path("shop/instances"), 0o700)))
	p.eventually("allowed", denied(""))
	p.write("shop/instances/b", "10.0.0.4:80")
	p.expect("shop", "10.0.0.3:80", "10.0.0.4:80")

	p.must(os.Chmod(p.dir, 0))
	p.eventually("lost", func() error {
		if c := p.of.ConnectionStatus(); c.Connected || !strings.Contains(c.Problem, "permission denied") {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	p.must(os.Chmod(p.dir, 0o700))
	p.eventually("back", denied(""))
	p.must(p.compare("api", "10.0.0.2:80"))
}

func TestHundredThousandFiles(t *testing.T) {
	t.Parallel()
	const files = 100_000
	fast := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		fast = "/dev/shm" // a hundred thousand files take a disk a minute
	}
	p := newPlaceIn(t, fast, nil)
	p.mkdir("huge/instances")
	p.write("web/instances/10.0.0.1:80", "")
	for i := range files {
		name := fmt.Sprintf("no-instance-%d", i)
		if i%10 == 0 {
			name = fmt.Sprintf("10.%d.%d.%d:80", i>>16, i>>8&0xff, i&0xff)
		}
		f, err := unix.Open(p.path("huge/instances/"+name), unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		p.must(err)
		p.must(unix.Close(f))
	}
	p.start()
	p.expect("web", "10.0.0.1:80")
	p.finds("huge", registry.Other, files*9/10)
	has := func(want int) func() error {
		return func() error {
			p.mu.Lock()
			defer p.mu.Unlock()
			if n := len(p.groups["huge"].Instances); n != want {
				return fmt.Errorf("%d instances", n)
			}
			return nil
		}
	}
	p.eventually("huge", has(files/10))
	began := time.Now()
	p.write("huge/instances/10.99.0.1:80", "")
	p.write("web/instances/10.0.0.2:80", "")
	p.expect("web", "10.0.0.1:80", "10.0.0.2:80")
	t.Logf("beside %d files a change took %v", files, time.Since(began))
	p.eventually("huge", has(files/10+1))
}
