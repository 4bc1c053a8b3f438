//go:build deploy

package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// machine stands for a computer: it has processes, mounts, a network and cgroups of its
// own. When its first process ends, so do the others; it ends with the test.
type machine struct {
	t       *testing.T
	dir     string
	network *rig.Namespace
	// group is the name of its cgroup in every hierarchy.
	group string
	// pid is that of its first process, on the host.
	pid int
}

// boot is what the first process of a machine does. The kubelet sets settings of the whole
// host to these values, so it gets files in their place; and programs leave files in
// directories that cannot be chosen.
const boot = `set -eu
mount --make-rprivate /
mount --make-rshared /
mount -t proc proc /proc
for dir in /run /var/lib /var/log; do mount -t tmpfs tmpfs $dir; done
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1; do
	file=$1/$(basename ${setting%=*})
	echo ${setting#*=} >$file
	mount --bind $file /proc/sys/${setting%=*}
done
trap exit TERM
sleep infinity &
touch $1/up
wait`

func newMachine(t *testing.T, network *rig.Namespace) *machine {
	t.Helper()
	m := &machine{t: t, dir: home(t), network: network, group: rig.UniqueName("machine")}
	for _, hierarchy := range m.hierarchies() {
		must(t, m.addGroup(hierarchy))
	}
	cmd := network.Command("sh", "-c", boot, "boot", m.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	first, err := rig.StartProgram(cmd)
	must(t, err)
	t.Cleanup(first.Stop)
	m.pid = cmd.Process.Pid
	eventually(t, "the machine is up", func() error {
		if err := first.Running(); err != nil {
			return err
		}
		_, err := os.Stat(m.file("up"))
		return err
	})
	return m
}

// hierarchies returns where cgroups are: one directory for each controller, or one for all.
func (m *machine) hierarchies() []string {
	m.t.Helper()
	const root = "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		return []string{root}
	}
	files, err := filepath.Glob(root + "/*/cgroup.procs")
	must(m.t, err)
	var all []string
	for _, file := range files {
		all = append(all, filepath.Dir(file))
	}
	return all
}

// addGroup creates the machine's cgroup in a hierarchy, and removes it after the test.
func (m *machine) addGroup(hierarchy string) error {
	dir := filepath.Join(hierarchy, m.group)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	m.t.Cleanup(func() {
		m.t.Helper()
		if err := rig.Eventually(context.Background(), within, func() error { return removeGroups(dir) }); err != nil {
			m.t.Error(err)
		}
	})
	// No process may enter a new cpuset that has none of these.
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		text, err := os.ReadFile(filepath.Join(hierarchy, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeGroups removes a cgroup with those below it, which have no process any more.
func removeGroups(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeGroups(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(dir)
}

// command returns a command that runs on the machine.
func (m *machine) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	// nsenter forks: a signal ends it, and thereby the program.
	return exec.CommandContext(ctx, "nsenter", append([]string{
		"--target", strconv.Itoa(m.pid), "--mount", "--pid", "--net", "--", "setpriv", "--pdeathsig", "TERM", "--", program,
	}, args...)...)
}

// start starts a program on the machine.
func (m *machine) start(program string, args ...string) *rig.Program {
	m.t.Helper()
	cmd := m.command(context.Background(), program, args...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	p, err := rig.StartProgram(cmd)
	must(m.t, err)
	m.t.Cleanup(func() {
		p.Stop()
		if m.t.Failed() {
			m.t.Logf("%s said:\n%s", filepath.Base(program), lastLines(p.Output()))
		}
	})
	return p
}

// run runs a program on the machine that ends by itself.
func (m *machine) run(program string, args ...string) error {
	ctx, cancel := context.WithTimeout(m.t.Context(), converges)
	defer cancel()
	if output, err := m.command(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, output)
	}
	return nil
}

// file returns the path of one of the machine's files.
func (m *machine) file(name string) string { return filepath.Join(m.dir, name) }

// write writes a file of the machine and returns its path.
func (m *machine) write(name, text string) string {
	m.t.Helper()
	path := m.file(name)
	must(m.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(m.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
